import { CloseCode } from "./close-code.ts";
import { applyMask } from "./mask.ts";
import { Opcode } from "./opcode.ts";
import { ProtocolError } from "./protocol-error.ts";
import type { Role } from "./role.ts";

/** What {@link FrameParser.readHeader} found. */
export const HeaderResult = { NEED_DATA: 0, STALLED: 1, HEADER: 2 } as const;
export type HeaderResult = (typeof HeaderResult)[keyof typeof HeaderResult];

/**
 * Finds frames in chunks of bytes (RFC 6455 §5.2), however they are cut.
 *
 * Nothing is parsed until it is asked for, and nothing is allocated per frame: a header's fields stand in this object until
 * the next one is read. The payload stays in its chunk; {@link unmaskPayload} shows as much of it as is there. Only a header
 * that is cut by a chunk's end is gathered apart.
 */
export class FrameParser {
  readonly #isServer: boolean;
  readonly #maySetRsv1: boolean;
  /** Chunks behind the current one. */
  readonly #later: Uint8Array[] = [];
  #laterBytes = 0;
  /** The current chunk, and what of it is not consumed. */
  chunk: Uint8Array = EMPTY;
  position = 0;
  #end = 0;
  readonly #cutHeader: Uint8Array = new Uint8Array(14);
  #cutHeaderLength = 0;
  /** Payload bytes of the frame that are not unmasked yet. */
  #remaining = 0;
  #key = 0;
  #phase = 0;

  // Fields of the last header.
  opcode: Opcode = Opcode.CONTINUATION;
  isFin = true;
  isRsv1 = false;
  payloadLength = 0;
  /** Whether a fragmented message is open; the owner sets it, since it decides which opcodes may follow. */
  isInMessage = false;

  constructor(role: Role, maySetRsv1: boolean) {
    this.#isServer = role === "server";
    this.#maySetRsv1 = maySetRsv1;
  }

  /** Bytes received and not consumed. */
  get bufferedBytes(): number {
    return this.#end - this.position + this.#laterBytes + this.#cutHeaderLength;
  }

  /** Payload bytes of the current frame that are still to come. */
  get remaining(): number {
    return this.#remaining;
  }

  /** Stores a chunk, by reference. */
  receive(chunk: Uint8Array): void {
    if (this.position === this.#end && this.#later.length === 0) this.#setChunk(chunk);
    else {
      this.#later.push(chunk);
      this.#laterBytes += chunk.byteLength;
    }
  }

  /** Copies what is not consumed out of memory that its owner will use again. Only the newest chunk can be such. */
  retain(): void {
    // Not slice(): a Buffer's is no copy. A chunk that waits behind a consumed one is copied all the same.
    const newest = this.#later.pop();
    if (newest !== undefined) this.#later.push(new Uint8Array(newest));
    else if (this.position === this.#end) this.#setChunk(EMPTY);
    else this.#setChunk(new Uint8Array(this.chunk.subarray(this.position, this.#end)));
  }

  /** Drops all bytes. */
  clear(): void {
    this.#later.length = 0;
    this.#laterBytes = 0;
    this.#cutHeaderLength = 0;
    this.#setChunk(EMPTY);
  }

  /**
   * Reads the next frame's header. The previous frame's payload must be consumed.
   *
   * @param isMessageWanted false: stop, without consuming a byte, in front of a new data message (R2)
   * @throws {ProtocolError} 1002, or 1009 for a length beyond 2^53-1
   */
  readHeader(isMessageWanted: boolean): HeaderResult {
    if (this.#cutHeaderLength > 0) return this.#readCutHeader();
    if (this.position === this.#end && !this.#nextChunk()) return HeaderResult.NEED_DATA;
    const { chunk, position } = this;
    if (!isMessageWanted && !this.isInMessage) {
      const opcode = (chunk[position] as number) & 0x0f;
      if (opcode === Opcode.TEXT || opcode === Opcode.BINARY) return HeaderResult.STALLED;
    }
    const available = this.#end - position;
    const headerLength = available === 1 ? 14 : getHeaderLength(chunk[position + 1] as number);
    if (available < headerLength) return this.#readCutHeader();
    this.position = position + headerLength;
    this.#parseHeader(chunk, position);
    return HeaderResult.HEADER;
  }

  /**
   * Unmasks, in place, the part of the current payload that has arrived in the current chunk, and consumes it.
   *
   * @returns its length; it ends at {@link position}. 0 if nothing is there
   */
  unmaskPayload(): number {
    if (this.position === this.#end && !this.#nextChunk()) return 0;
    const start = this.position;
    const length = Math.min(this.#remaining, this.#end - start);
    if (this.#isServer) {
      applyMask(this.chunk, start, start + length, this.#key, this.#phase);
      this.#phase += length;
    }
    this.position = start + length;
    this.#remaining -= length;
    return length;
  }

  #setChunk(chunk: Uint8Array): void {
    this.chunk = chunk;
    this.position = 0;
    this.#end = chunk.byteLength;
  }

  #nextChunk(): boolean {
    const next = this.#later.shift();
    if (next === undefined) return false;
    this.#laterBytes -= next.byteLength;
    this.#setChunk(next);
    return next.byteLength > 0 || this.#nextChunk();
  }

  /** Gathers a header that chunks cut. */
  #readCutHeader(): HeaderResult {
    const header = this.#cutHeader;
    for (;;) {
      const length = this.#cutHeaderLength;
      const needed = length < 2 ? 2 : getHeaderLength(header[1] as number);
      if (length >= 2 && length === needed) {
        this.#cutHeaderLength = 0;
        this.#parseHeader(header, 0);
        return HeaderResult.HEADER;
      }
      if (this.position === this.#end && !this.#nextChunk()) return HeaderResult.NEED_DATA;
      header[this.#cutHeaderLength++] = this.chunk[this.position++] as number;
    }
  }

  #parseHeader(bytes: Uint8Array, offset: number): void {
    const first = bytes[offset] as number;
    const second = bytes[offset + 1] as number;
    const opcode = first & 0x0f;
    const isFin = first >= 0x80;
    const lengthField = second & 0x7f;
    this.opcode = opcode as Opcode;
    this.isFin = isFin;
    this.isRsv1 = (first & 0x40) !== 0;
    if ((first & 0x70) !== 0) this.#checkReservedBits(first);
    if (second >= 0x80 !== this.#isServer) this.#failMask();
    if (opcode >= 0x8) this.#checkControl(opcode, isFin, lengthField);
    else this.#checkData(opcode);
    let next = offset + 2;
    if (lengthField < 126) this.payloadLength = lengthField;
    else if (lengthField === 126) {
      this.payloadLength = ((bytes[next] as number) << 8) | (bytes[next + 1] as number);
      next += 2;
      if (this.payloadLength < 126) failLength();
    } else {
      this.payloadLength = readUint64(bytes, next);
      next += 8;
    }
    if (this.#isServer) {
      this.#key =
        (bytes[next] as number) |
        ((bytes[next + 1] as number) << 8) |
        ((bytes[next + 2] as number) << 16) |
        ((bytes[next + 3] as number) << 24);
      this.#phase = 0;
    }
    this.#remaining = this.payloadLength;
  }

  /** RFC 6455 §5.2: "MUST be 0 unless an extension is negotiated"; RFC 7692 §6: RSV1 on the first frame of a message only. */
  #checkReservedBits(first: number): void {
    const opcode = first & 0x0f;
    const isFirstOfMessage = opcode === Opcode.TEXT || opcode === Opcode.BINARY;
    if ((first & 0x30) === 0 && this.#maySetRsv1 && isFirstOfMessage) return;
    throw protocolError("Cannot accept the frame as a reserved bit is set", "RFC 6455 §5.2", "ERR_SLUICE_RESERVED_BIT");
  }

  /** RFC 6455 §5.1: a server "MUST close the connection upon receiving a frame that is not masked"; a client the reverse. */
  #failMask(): never {
    const text = this.#isServer ? "a client must mask its frames" : "a server must not mask its frames";
    throw protocolError(`Cannot accept the frame as ${text}`, "RFC 6455 §5.1", "ERR_SLUICE_INVALID_MASK");
  }

  #checkControl(opcode: number, isFin: boolean, lengthField: number): void {
    if (opcode > Opcode.PONG) failOpcode(opcode);
    // RFC 6455 §5.5: "MUST have a payload length of 125 bytes or less and MUST NOT be fragmented"
    if (!isFin) {
      throw protocolError("Cannot accept a fragmented control frame", "RFC 6455 §5.5", "ERR_SLUICE_FRAGMENTED_CONTROL");
    }
    if (lengthField > 125) {
      throw protocolError(
        "Cannot accept a control frame of more than 125 bytes",
        "RFC 6455 §5.5",
        "ERR_SLUICE_CONTROL_TOO_LONG",
      );
    }
  }

  /** RFC 6455 §5.4: continuation frames only inside a message, others only outside. */
  #checkData(opcode: number): void {
    if (opcode > Opcode.BINARY) failOpcode(opcode);
    if ((opcode === Opcode.CONTINUATION) === this.isInMessage) return;
    const text = this.isInMessage ? "a message is unfinished" : "there is no message to continue";
    throw protocolError(`Cannot accept the frame as ${text}`, "RFC 6455 §5.4", "ERR_SLUICE_UNEXPECTED_FRAME");
  }
}

const EMPTY = new Uint8Array(0);

/** The header's length, from its second byte. */
function getHeaderLength(second: number): number {
  const lengthField = second & 0x7f;
  return (lengthField < 126 ? 2 : lengthField === 126 ? 4 : 10) + (second >= 0x80 ? 4 : 0);
}

/** RFC 6455 §5.2: 64 bits, "the most significant bit MUST be 0", in the shortest form. */
function readUint64(bytes: Uint8Array, offset: number): number {
  const high = readUint32(bytes, offset);
  const low = readUint32(bytes, offset + 4);
  if (high >= 2 ** 31 || (high === 0 && low < 65_536)) failLength();
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

function failLength(): never {
  throw protocolError(
    "Cannot accept the frame as its length is not in the shortest form",
    "RFC 6455 §5.2",
    "ERR_SLUICE_INVALID_LENGTH",
  );
}

function failOpcode(opcode: number): never {
  throw protocolError(
    `Cannot accept the frame as opcode ${opcode} is reserved`,
    "RFC 6455 §5.2",
    "ERR_SLUICE_RESERVED_OPCODE",
  );
}

function protocolError(message: string, section: string, code: string): ProtocolError {
  return new ProtocolError(CloseCode.PROTOCOL_ERROR, message, { section, code });
}
