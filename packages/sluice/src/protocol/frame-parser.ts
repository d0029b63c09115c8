import { checkHeader, MAX_HEADER_BYTES, readPayloadLength, receivedHeaderByteLength } from "./frame-header.ts";
import { applyMask, wordsOf } from "./mask.ts";
import { Opcode } from "./opcode.ts";
import { toPlainBytes } from "./plain-bytes.ts";
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
  /** Chunks behind the current one, none of them empty, from index {@link #first} on. */
  readonly #later: Uint8Array[] = [];
  #first = 0;
  #laterBytes = 0;
  /** The current chunk, a plain Uint8Array, and the end of what is consumed of it. */
  chunk: Uint8Array = EMPTY;
  position = 0;
  #end = 0;
  /** The current chunk as words, once something in it is masked. */
  #words: Int32Array | null = null;
  /** Made when first needed, which is seldom: a small array takes 230 bytes. */
  #cutHeader: Uint8Array | null = null;
  #cutHeaderLength = 0;
  /** Payload bytes of the current frame that are not consumed yet. */
  remaining = 0;
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

  /** Stores a chunk, by reference. */
  receive(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    const chunk = toPlainBytes(bytes);
    if (this.position === this.#end && this.#laterBytes === 0) this.#setChunk(chunk);
    else {
      this.#later.push(chunk);
      this.#laterBytes += chunk.byteLength;
    }
  }

  /**
   * Copies what is not consumed out of memory that its owner will use again. Only the newest chunk can be such. Many chunks
   * become one, since a peer that sends single bytes must not cost an object for each.
   */
  retain(): void {
    // A chunk that waits behind a consumed one is copied all the same.
    const later = this.#later;
    const newest = later.pop();
    if (newest === undefined) {
      this.#setChunk(this.position === this.#end ? EMPTY : this.chunk.slice(this.position));
    } else if (later.length - this.#first < JOINED_CHUNKS) {
      later.push(newest.slice());
    } else {
      const joined = join([this.chunk.subarray(this.position), ...later, newest]);
      this.#clearLater();
      this.#setChunk(joined);
    }
  }

  /** Drops all bytes, and the message in progress. */
  clear(): void {
    this.#clearLater();
    this.#cutHeaderLength = 0;
    this.#setChunk(EMPTY);
    this.isInMessage = false;
  }

  /**
   * Reads the next frame's header. The previous frame's payload must be consumed.
   *
   * @param isMessageWanted false: stop, without consuming a byte, in front of a new data message (R2)
   * @throws {ProtocolError} 1002, or 1009 for a length beyond 2^53-1
   */
  readHeader(isMessageWanted: boolean): HeaderResult {
    if (this.#cutHeaderLength > 0) return this.#readCutHeader(isMessageWanted);
    if (this.position === this.#end && !this.#nextChunk()) return HeaderResult.NEED_DATA;
    const { chunk, position } = this;
    const first = chunk[position] as number;
    if (!isMessageWanted && this.#beginsMessage(first)) return HeaderResult.STALLED;
    const available = this.#end - position;
    if (available < 2) return this.#readCutHeader(isMessageWanted);
    const second = chunk[position + 1] as number;
    checkHeader(first, second, this.#isServer, this.#maySetRsv1, this.isInMessage);
    const headerLength = receivedHeaderByteLength(second);
    if (available < headerLength) return this.#readCutHeader(isMessageWanted);
    this.#setHeader(chunk, position, headerLength);
    this.position = position + headerLength;
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
    const length = Math.min(this.remaining, this.#end - start);
    if (this.#isServer) {
      this.#words ??= wordsOf(this.chunk);
      applyMask(this.chunk, this.#words, start, start + length, this.#key, this.#phase);
      this.#phase += length;
    }
    this.position = start + length;
    this.remaining -= length;
    return length;
  }

  #beginsMessage(first: number): boolean {
    const opcode = first & 0x0f;
    return !this.isInMessage && (opcode === Opcode.TEXT || opcode === Opcode.BINARY);
  }

  #clearLater(): void {
    this.#later.length = 0;
    this.#first = 0;
    this.#laterBytes = 0;
  }

  #setChunk(chunk: Uint8Array): void {
    this.chunk = chunk;
    this.position = 0;
    this.#end = chunk.byteLength;
    this.#words = null;
  }

  #nextChunk(): boolean {
    const later = this.#later;
    const next = later[this.#first];
    if (next === undefined) return false;
    this.#laterBytes -= next.byteLength;
    // Not shift(): it may move all of a long array, each time.
    later[this.#first++] = EMPTY;
    if (this.#first * 2 >= later.length) {
      later.splice(0, this.#first);
      this.#first = 0;
    }
    this.#setChunk(next);
    return true;
  }

  /** Gathers a header that chunks cut. What its first two bytes tell is checked as soon as they are there. */
  #readCutHeader(isMessageWanted: boolean): HeaderResult {
    this.#cutHeader ??= new Uint8Array(MAX_HEADER_BYTES);
    const header = this.#cutHeader;
    if (!isMessageWanted && this.#cutHeaderLength > 0 && this.#beginsMessage(header[0] as number)) {
      return HeaderResult.STALLED;
    }
    for (;;) {
      const length = this.#cutHeaderLength;
      if (length === 2) {
        checkHeader(header[0] as number, header[1] as number, this.#isServer, this.#maySetRsv1, this.isInMessage);
      }
      if (length >= 2 && length === receivedHeaderByteLength(header[1] as number)) {
        this.#cutHeaderLength = 0;
        this.#setHeader(header, 0, length);
        return HeaderResult.HEADER;
      }
      if (this.position === this.#end && !this.#nextChunk()) return HeaderResult.NEED_DATA;
      header[this.#cutHeaderLength++] = this.chunk[this.position++] as number;
    }
  }

  /** Takes over a complete header whose first two bytes are checked. */
  #setHeader(bytes: Uint8Array, offset: number, headerLength: number): void {
    const first = bytes[offset] as number;
    this.opcode = (first & 0x0f) as Opcode;
    this.isFin = first >= 0x80;
    this.isRsv1 = (first & 0x40) !== 0;
    this.payloadLength = readPayloadLength(bytes, offset);
    this.remaining = this.payloadLength;
    if (this.#isServer) {
      const key = offset + headerLength - 4;
      this.#key =
        (bytes[key] as number) |
        ((bytes[key + 1] as number) << 8) |
        ((bytes[key + 2] as number) << 16) |
        ((bytes[key + 3] as number) << 24);
      this.#phase = 0;
    }
  }
}

const EMPTY = new Uint8Array(0);

/** So many waiting chunks are joined: the objects of single-byte chunks would take a hundred times their bytes. */
const JOINED_CHUNKS = 64;

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return joined;
}
