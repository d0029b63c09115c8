import { CloseCode } from "./close-code.ts";
import { Opcode } from "./opcode.ts";
import { ProtocolError } from "./protocol-error.ts";

/**
 * The layout of a frame's header (RFC 6455 §5.2) and the rules that hold for it alone:
 *
 *     FIN RSV1-3 opcode | MASK length | length of 16 or 64 bits, if announced | masking key, if masked
 */

/** The longest header: two bytes, a length of 64 bits, a masking key. */
export const MAX_HEADER_BYTES = 14;

/** Bytes of a header to be sent, without a masking key. RFC 6455 §5.2: "the minimal number of bytes MUST be used" */
export function headerByteLength(payloadLength: number): number {
  return payloadLength < 126 ? 2 : payloadLength < 65_536 ? 4 : 10;
}

/** Bytes of a received header, masking key included, as its second byte tells. */
export function receivedHeaderByteLength(second: number): number {
  const lengthField = second & 0x7f;
  return (lengthField < 126 ? 2 : lengthField === 126 ? 4 : 10) + (second >= 0x80 ? 4 : 0);
}

/** Writes the header, in the shortest form and without a masking key. @param maskBit 0x80 if one follows, else 0 */
export function writeHeader(
  target: Uint8Array,
  offset: number,
  first: number,
  maskBit: number,
  payloadLength: number,
): void {
  target[offset] = first;
  if (payloadLength < 126) {
    target[offset + 1] = maskBit | payloadLength;
  } else if (payloadLength < 65_536) {
    target[offset + 1] = maskBit | 126;
    target[offset + 2] = payloadLength >> 8;
    target[offset + 3] = payloadLength & 0xff;
  } else {
    target[offset + 1] = maskBit | 127;
    writeUint32(target, offset + 2, Math.floor(payloadLength / 2 ** 32));
    writeUint32(target, offset + 6, payloadLength >>> 0);
  }
}

/**
 * Checks what the first two bytes tell.
 *
 * @param isMaskExpected whether we are the server
 * @param maySetRsv1 whether permessage-deflate was negotiated
 * @param isInMessage whether a fragmented message is open
 * @throws {ProtocolError} 1002
 */
export function checkHeader(
  first: number,
  second: number,
  isMaskExpected: boolean,
  maySetRsv1: boolean,
  isInMessage: boolean,
): void {
  const opcode = first & 0x0f;
  if ((first & 0x70) !== 0) checkReservedBits(first, maySetRsv1);
  if (second >= 0x80 !== isMaskExpected) failMask(isMaskExpected);
  if (opcode >= Opcode.CLOSE) checkControl(first, second & 0x7f);
  else if (opcode > Opcode.BINARY) failOpcode(opcode);
  // RFC 6455 §5.4: continuation frames only inside a message, others only outside.
  else if ((opcode === Opcode.CONTINUATION) !== isInMessage) failSequence(isInMessage);
}

/**
 * The payload's length from a complete header.
 *
 * @throws {ProtocolError} 1002 for a length that is not in the shortest form, 1009 beyond 2^53-1
 */
export function readPayloadLength(header: Uint8Array, offset: number): number {
  const lengthField = (header[offset + 1] as number) & 0x7f;
  if (lengthField < 126) return lengthField;
  if (lengthField === 126) {
    const length = ((header[offset + 2] as number) << 8) | (header[offset + 3] as number);
    if (length < 126) failLength();
    return length;
  }
  const high = readUint32(header, offset + 2);
  const low = readUint32(header, offset + 6);
  // RFC 6455 §5.2: "the most significant bit MUST be 0"
  if (high >= 2 ** 31 || (high === 0 && low < 65_536)) failLength();
  // F10: a number of ours is exact up to there.
  if (high >= 2 ** 21) {
    throw new ProtocolError(CloseCode.MESSAGE_TOO_BIG, "Cannot accept a frame of 2^53 bytes or more", {
      section: "RFC 6455 §10.4",
      code: "ERR_SLUICE_MESSAGE_TOO_BIG",
      limit: "maxMessageBytes",
    });
  }
  return high * 2 ** 32 + low;
}

function readUint32(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number)) >>>
    0
  );
}

function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = (value >>> 16) & 0xff;
  bytes[offset + 2] = (value >>> 8) & 0xff;
  bytes[offset + 3] = value & 0xff;
}

/** RFC 6455 §5.2: "MUST be 0 unless an extension is negotiated"; RFC 7692 §6: RSV1 on the first frame of a message only. */
function checkReservedBits(first: number, maySetRsv1: boolean): void {
  const opcode = first & 0x0f;
  const isFirstOfMessage = opcode === Opcode.TEXT || opcode === Opcode.BINARY;
  if ((first & 0x30) === 0 && maySetRsv1 && isFirstOfMessage) return;
  fail("the frame as a reserved bit is set", "RFC 6455 §5.2", "ERR_SLUICE_RESERVED_BIT");
}

/** RFC 6455 §5.1: a server "MUST close the connection upon receiving a frame that is not masked"; a client the reverse. */
function failMask(isMaskExpected: boolean): never {
  const text = isMaskExpected ? "a client must mask its frames" : "a server must not mask its frames";
  fail(`the frame as ${text}`, "RFC 6455 §5.1", "ERR_SLUICE_INVALID_MASK");
}

/** RFC 6455 §5.5: "MUST have a payload length of 125 bytes or less and MUST NOT be fragmented" */
function checkControl(first: number, lengthField: number): void {
  const opcode = first & 0x0f;
  if (opcode > Opcode.PONG) failOpcode(opcode);
  if (first < 0x80) fail("a fragmented control frame", "RFC 6455 §5.5", "ERR_SLUICE_FRAGMENTED_CONTROL");
  if (lengthField > 125) {
    fail("a control frame of more than 125 bytes", "RFC 6455 §5.5", "ERR_SLUICE_CONTROL_TOO_LONG");
  }
}

function failSequence(isInMessage: boolean): never {
  const text = isInMessage ? "a message is unfinished" : "there is no message to continue";
  fail(`the frame as ${text}`, "RFC 6455 §5.4", "ERR_SLUICE_UNEXPECTED_FRAME");
}

function failOpcode(opcode: number): never {
  fail(`the frame as opcode ${opcode} is reserved`, "RFC 6455 §5.2", "ERR_SLUICE_RESERVED_OPCODE");
}

function failLength(): never {
  fail("the frame as its length is not in the shortest form", "RFC 6455 §5.2", "ERR_SLUICE_INVALID_LENGTH");
}

function fail(what: string, section: string, code: string): never {
  throw new ProtocolError(CloseCode.PROTOCOL_ERROR, `Cannot accept ${what}`, { section, code });
}
