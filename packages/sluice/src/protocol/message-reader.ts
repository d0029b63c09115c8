import { ChunkSlab } from "./chunk-slab.ts";
import { CloseCode } from "./close-code.ts";
import type { FrameParser } from "./frame-parser.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { MessageAssembler } from "./message-assembler.ts";
import { Opcode } from "./opcode.ts";
import type { Inflater } from "./permessage-deflate/codec.ts";
import { toPlainBytes } from "./plain-bytes.ts";
import { ProtocolError } from "./protocol-error.ts";
import { type Utf8Codec, Utf8Validator } from "./utf8.ts";

/** What {@link MessageReader.read} has now. */
export const ReadResult = { MORE: 0, MESSAGE: 1, PENDING: 2 } as const;
export type ReadResult = (typeof ReadResult)[keyof typeof ReadResult];

/**
 * Makes messages of the payloads of data frames (RFC 6455 §5.4, §5.6): counts them against the limits, inflates, validates
 * text as it comes (F19), and joins what does not lie in one piece.
 */
export class MessageReader {
  readonly #utf8: Utf8Codec;
  readonly #inflater: Inflater | null;
  readonly #limits: MessageLimits;
  /** With pooled chunks. */
  readonly #slab: ChunkSlab | null;
  readonly #assembler: MessageAssembler = new MessageAssembler();
  /** Made for the first text that does not come in one piece. */
  #validator: Utf8Validator | null = null;
  #isDiscarding = false;

  // The message in progress.
  #isText = false;
  #isCompressed = false;
  #fragments = 0;
  /** Payload bytes that its frames announced so far. */
  #announcedBytes = 0;
  /** Payload bytes that arrived in earlier slices, after inflating. */
  #messageBytes = 0;
  /** Payload bytes given to the inflater. */
  #deflatedBytes = 0;

  // The asynchronous inflation in progress, and what it gave.
  #pending: Promise<void> | null = null;
  #isPendingEnd = false;
  #inflated: Uint8Array = EMPTY;
  #inflateError: unknown = null;
  /** Whether {@link resume} has to be called before anything else is read. */
  isInterrupted = false;

  #message: string | Uint8Array<ArrayBuffer> = "";
  /** Payload bytes of the last message, after inflating. */
  messageByteLength = 0;

  constructor(utf8: Utf8Codec, inflater: Inflater | null, limits: MessageLimits, isPooled: boolean) {
    this.#utf8 = utf8;
    this.#inflater = inflater;
    this.#limits = limits;
    this.#slab = isPooled ? new ChunkSlab() : null;
  }

  /** Memory of the message in progress, and of the inflater. */
  get heldBytes(): number {
    return this.#assembler.capacity + (this.#inflater?.heldBytes ?? 0);
  }

  get pending(): Promise<void> | null {
    return this.#pending;
  }

  /** The message that was completed, which is not held any longer. */
  takeMessage(): string | Uint8Array<ArrayBuffer> {
    const message = this.#message;
    this.#message = "";
    return message;
  }

  /** From now on messages are validated and dropped. */
  discard(): void {
    this.#isDiscarding = true;
    this.#assembler.clear();
  }

  /** Frees the message in progress. */
  clear(): void {
    this.#assembler.clear();
    this.#inflated = EMPTY;
  }

  /**
   * Begins the frame whose header the parser has just read.
   *
   * @throws {ProtocolError} 1009 or 1008 if the message exceeds a limit
   */
  beginFrame(frame: FrameParser): void {
    if (frame.opcode !== Opcode.CONTINUATION) {
      this.#isText = frame.opcode === Opcode.TEXT;
      this.#isCompressed = frame.isRsv1;
      this.#fragments = 0;
      this.#announcedBytes = 0;
      this.#messageBytes = 0;
    }
    const { maxMessageBytes, maxFragments } = this.#limits;
    this.#announcedBytes += frame.payloadLength;
    // Checked before a byte is buffered (F10).
    if (this.#announcedBytes > maxMessageBytes) this.#checkCompressed(maxMessageBytes);
    if (++this.#fragments > maxFragments) {
      fail(CloseCode.POLICY_VIOLATION, "maxFragments", maxFragments, "ERR_SLUICE_TOO_MANY_FRAGMENTS");
    }
  }

  /**
   * Takes the next `length` bytes of payload, which end at the parser's position.
   *
   * @throws {ProtocolError} 1007 for text that is not UTF-8; what the inflater throws
   */
  read(frame: FrameParser, length: number): ReadResult {
    const isEnd = frame.remaining === 0 && frame.isFin;
    if (length === 0 && !isEnd) return ReadResult.MORE;
    const { chunk, position } = frame;
    const start = position - length;
    if (this.#isCompressed) return this.#inflate(chunk.subarray(start, position), isEnd);
    if (isEnd && length === this.#announcedBytes) return this.#setWhole(chunk, start, position);
    return this.#append(chunk, start, position, frame.isFin ? this.#announcedBytes : 0, isEnd);
  }

  /** Goes on after an asynchronous inflation. @throws what the inflater rejected with */
  resume(): ReadResult {
    if (this.#pending !== null) return ReadResult.PENDING;
    if (this.#inflateError !== null) throw this.#inflateError;
    this.isInterrupted = false;
    const output = this.#inflated;
    this.#inflated = EMPTY;
    return this.#readInflated(output, this.#isPendingEnd);
  }

  /**
   * A compressed message is counted while inflating (E24); here only what no honest sender needs is refused. Deflate's fixed
   * codes make data that cannot be compressed longer by an eighth at most.
   */
  #checkCompressed(maxMessageBytes: number): void {
    if (this.#isCompressed && this.#announcedBytes <= maxMessageBytes + maxMessageBytes / 8 + 1024) return;
    fail(CloseCode.MESSAGE_TOO_BIG, "maxMessageBytes", maxMessageBytes, "ERR_SLUICE_MESSAGE_TOO_BIG");
  }

  #inflate(input: Uint8Array, isEnd: boolean): ReadResult {
    // RSV1 is legal only where an inflater is.
    const inflater = this.#inflater as Inflater;
    const { maxMessageBytes, maxInflateRatio } = this.#limits;
    this.#deflatedBytes += input.byteLength;
    const { inflateRatioFloorBytes } = DEFAULT_LIMITS;
    const ratioBytes = Math.max(inflateRatioFloorBytes, maxInflateRatio * Math.max(1, this.#deflatedBytes));
    if (isEnd) this.#deflatedBytes = 0;
    const maxBytes = Math.min(maxMessageBytes, ratioBytes);
    let result: Uint8Array | Promise<Uint8Array>;
    try {
      result = inflater.inflate(input, isEnd, maxBytes - this.#messageBytes);
    } catch (error) {
      throw maxBytes < maxMessageBytes ? this.#toRatioError(error) : error;
    }
    if (!(result instanceof Promise)) return this.#readInflated(result, isEnd);
    this.isInterrupted = true;
    this.#isPendingEnd = isEnd;
    this.#pending = result.then(
      (output) => {
        this.#pending = null;
        this.#inflated = output;
      },
      (error: unknown) => {
        this.#pending = null;
        this.#inflateError = maxBytes < maxMessageBytes ? this.#toRatioError(error) : error;
      },
    );
    return ReadResult.PENDING;
  }

  /** The inflater knows one bound only; where that came of the ratio, so does the error. */
  #toRatioError(error: unknown): unknown {
    if (!(error instanceof ProtocolError) || error.limit !== "maxMessageBytes") return error;
    const { maxInflateRatio } = this.#limits;
    return new ProtocolError(
      CloseCode.POLICY_VIOLATION,
      `Cannot inflate the message as maxInflateRatio is ${maxInflateRatio}`,
      { section: "RFC 7692 §8", code: "ERR_SLUICE_INFLATE_RATIO", limit: "maxInflateRatio" },
    );
  }

  #readInflated(output: Uint8Array, isEnd: boolean): ReadResult {
    const { byteLength } = output;
    if (isEnd && this.#messageBytes === 0) return this.#setWhole(toPlainBytes(output), 0, byteLength);
    return this.#append(output, 0, byteLength, isEnd ? this.#messageBytes + byteLength : 0, isEnd);
  }

  /** A message that lies in one piece in `bytes[start, end)`, a plain Uint8Array. */
  #setWhole(bytes: Uint8Array, start: number, end: number): ReadResult {
    this.messageByteLength = end - start;
    if (this.#isDiscarding) {
      if (this.#isText && !this.#utf8.isValid(bytes, start, end)) failUtf8();
      this.#setNothing();
    } else if (this.#isText) {
      this.#message = this.#decode(bytes, start, end);
    } else if (this.#slab !== null) {
      this.#message = this.#slab.copy(bytes, start, end);
    } else {
      // Memory of its own, of exactly its length (D-09). Half the cost of a loop at 32 bytes, and of `set` up to 64.
      this.#message = bytes.slice(start, end) as Uint8Array<ArrayBuffer>;
    }
    return ReadResult.MESSAGE;
  }

  /** @param total what the message will have in the end, or 0 if that is not known */
  #append(bytes: Uint8Array, start: number, end: number, total: number, isEnd: boolean): ReadResult {
    this.#messageBytes += end - start;
    if (this.#isText) this.#validate(bytes, start, end, isEnd);
    if (!this.#isDiscarding) this.#assembler.append(bytes, start, end, total);
    if (!isEnd) return ReadResult.MORE;
    this.messageByteLength = this.#messageBytes;
    if (this.#isDiscarding) {
      this.#setNothing();
    } else if (this.#isText) {
      this.#message = this.#decode(this.#assembler.bytes, 0, this.#assembler.length);
      this.#assembler.clear();
    } else {
      this.#message = this.#assembler.take();
    }
    return ReadResult.MESSAGE;
  }

  #validate(bytes: Uint8Array, start: number, end: number, isEnd: boolean): void {
    this.#validator ??= new Utf8Validator(this.#utf8);
    if (!this.#validator.push(bytes, start, end)) failUtf8();
    if (isEnd && !this.#validator.isComplete) failUtf8();
  }

  #setNothing(): void {
    this.#message = this.#isText ? "" : new Uint8Array(0);
  }

  #decode(bytes: Uint8Array, start: number, end: number): string {
    return this.#utf8.decode(bytes, start, end) ?? failUtf8();
  }
}

export interface MessageLimits {
  /** In bytes, after inflating. */
  readonly maxMessageBytes: number;
  /** Frames, empty ones included. */
  readonly maxFragments: number;
  /** Bytes that one byte of a compressed message may become, above {@link DEFAULT_LIMITS.inflateRatioFloorBytes}. */
  readonly maxInflateRatio: number;
}

const EMPTY = new Uint8Array(0);

function fail(closeCode: number, limit: string, maximum: number, code: string): never {
  throw new ProtocolError(closeCode, `Cannot accept the message as ${limit} is ${maximum}`, {
    section: "RFC 6455 §10.4",
    code,
    limit,
  });
}

function failUtf8(): never {
  throw new ProtocolError(CloseCode.INVALID_FRAME_PAYLOAD_DATA, "Cannot accept the text message as it is not UTF-8", {
    section: "RFC 6455 §8.1",
    code: "ERR_SLUICE_INVALID_UTF8",
  });
}
