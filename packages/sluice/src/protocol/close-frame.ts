import { CloseCode, isReceivableCloseCode } from "./close-code.ts";
import { ProtocolError } from "./protocol-error.ts";
import { standardUtf8Codec, type Utf8Codec } from "./utf8.ts";

/** Bytes of UTF-8 that a reason takes; a Close frame has room for 123 behind the code (RFC 6455 §5.5). */
export function closeReasonByteLength(reason: string): number {
  return standardUtf8Codec.encode(reason).byteLength;
}

const NOTHING = new Uint8Array(0);

/** The body of a Close frame: empty without a code. @throws {RangeError} if the reason is longer than 123 bytes */
export function encodeCloseBody(closeCode: number | null, reason: string, utf8: Utf8Codec): Uint8Array {
  if (closeCode === null) return new Uint8Array(0);
  const text = reason === "" ? NOTHING : utf8.encode(reason);
  if (text.byteLength > 123) {
    throw new RangeError(`Cannot send Close as reason must be at most 123 bytes: current length is ${text.byteLength}`);
  }
  const body = new Uint8Array(2 + text.byteLength);
  body[0] = closeCode >> 8;
  body[1] = closeCode & 0xff;
  body.set(text, 2);
  return body;
}

/** Reads the body of a received Close frame. @throws {ProtocolError} 1002, or 1007 for a reason that is not UTF-8 */
export function decodeCloseBody(body: Uint8Array, utf8: Utf8Codec): { closeCode: number; reason: string } {
  if (body.byteLength === 0) return { closeCode: CloseCode.NO_STATUS_RECEIVED, reason: "" };
  // RFC 6455 §5.5.1: "the first two bytes of the body MUST be a 2-byte unsigned integer"
  if (body.byteLength === 1) {
    throw new ProtocolError(CloseCode.PROTOCOL_ERROR, "Cannot read Close as its body is one byte", {
      section: "RFC 6455 §5.5.1",
      code: "ERR_SLUICE_INVALID_CLOSE_BODY",
    });
  }
  const closeCode = ((body[0] as number) << 8) | (body[1] as number);
  if (!isReceivableCloseCode(closeCode)) {
    throw new ProtocolError(CloseCode.PROTOCOL_ERROR, `Cannot accept Close as code ${closeCode} must not be sent`, {
      section: "RFC 6455 §7.4",
      code: "ERR_SLUICE_INVALID_CLOSE_CODE",
    });
  }
  const reason = utf8.decode(body, 2, body.byteLength);
  if (reason === null) {
    throw new ProtocolError(CloseCode.INVALID_FRAME_PAYLOAD_DATA, "Cannot accept Close as its reason is not UTF-8", {
      section: "RFC 6455 §5.5.1",
      code: "ERR_SLUICE_INVALID_UTF8",
    });
  }
  return { closeCode, reason };
}
