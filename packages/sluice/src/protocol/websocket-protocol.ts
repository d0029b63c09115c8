import { CloseCode } from "./close-code.ts";
import { decodeCloseBody, encodeCloseBody } from "./close-frame.ts";
import { FrameParser, HeaderResult } from "./frame-parser.ts";
import { FrameWriter } from "./frame-writer.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { MaskingKeys } from "./mask.ts";
import { MessageAssembler } from "./message-assembler.ts";
import { Opcode } from "./opcode.ts";
import { OutputBlocks, recycleBlock } from "./output-blocks.ts";
import type { PerMessageDeflateCodec } from "./permessage-deflate/codec.ts";
import { ProtocolError } from "./protocol-error.ts";
import type { Role } from "./role.ts";
import { standardUtf8Codec, type Utf8Codec, Utf8Validator } from "./utf8.ts";

/** What {@link WebSocketProtocol.next} found. */
export const ProtocolEvent = { NEED_DATA: 0, STALLED: 1, MESSAGE: 2, PING: 3, PONG: 4, CLOSE: 5, PENDING: 6 } as const;
export type ProtocolEvent = (typeof ProtocolEvent)[keyof typeof ProtocolEvent];

/**
 * RFC 6455 for one end of an established connection, without I/O, time or promises of its own.
 *
 * It pulls: `receive` only stores bytes, `next` hands out one event. Asked with `isMessageWanted` false it stops in front
 * of a new data message, control frames in front of that still come (R2, R4); a message that has begun is read to its end
 * (R3). An event's data stands in this object until the next call. Frames to send are encoded into blocks, which the owner
 * takes when it writes.
 *
 * A message that is whole in one chunk is decoded where it lies; any other is assembled, its text validated as it comes
 * (F19). A fault of the peer is thrown as a ProtocolError, after which the object must not be used for receiving.
 */
export class WebSocketProtocol {
  readonly #utf8: Utf8Codec;
  readonly #parser: FrameParser;
  readonly #blocks: OutputBlocks = new OutputBlocks();
  readonly #writer: FrameWriter;
  readonly #deflate: PerMessageDeflateCodec | null;
  readonly #maxMessageBytes: number;
  readonly #maxFragments: number;
  readonly #assembler: MessageAssembler = new MessageAssembler();
  readonly #validator: Utf8Validator;
  #isDiscarding = false;
  #isClosed = false;

  // The message being received.
  #isInFrame = false;
  #isText = false;
  #isCompressed = false;
  #fragments = 0;
  /** Payload bytes that its frames announced so far. */
  #announcedBytes = 0;
  /** Payload bytes that arrived, after inflating. */
  #messageBytes = 0;
  #controlPayload: Uint8Array = EMPTY;
  #controlLength = 0;
  #pending: Promise<void> | null = null;
  #pendingError: unknown = null;
  #inflated: Uint8Array | null = null;

  // Data of the last event.
  message: string | Uint8Array<ArrayBuffer> = "";
  messageByteLength = 0;
  payload: Uint8Array = EMPTY;
  closeCode = 0;
  closeReason = "";

  constructor(options: WebSocketProtocolOptions) {
    this.#utf8 = options.utf8 ?? standardUtf8Codec;
    this.#deflate = options.deflate ?? null;
    this.#maxMessageBytes = options.maxMessageBytes ?? DEFAULT_LIMITS.maxMessageBytes;
    this.#maxFragments = options.maxFragments ?? DEFAULT_LIMITS.maxFragments;
    this.#parser = new FrameParser(options.role, this.#deflate !== null);
    this.#writer = new FrameWriter(
      this.#blocks,
      options.role === "client" ? new MaskingKeys(options.fillRandom) : null,
    );
    this.#validator = new Utf8Validator(this.#utf8);
  }

  /** Bytes received and not parsed. */
  get bufferedBytes(): number {
    return this.#parser.bufferedBytes;
  }

  /** Memory of the message in assembly, and of the inflater. */
  get assembledBytes(): number {
    return this.#assembler.capacity + (this.#deflate?.inflater.heldBytes ?? 0);
  }

  /** Whether a data message has begun and not ended. */
  get isInMessage(): boolean {
    return this.#parser.isInMessage || (this.#isInFrame && this.#parser.opcode < Opcode.CLOSE);
  }

  /** An asynchronous inflation that holds the parser, or null. It never rejects; what went wrong is thrown by `next`. */
  get pending(): Promise<void> | null {
    return this.#pending;
  }

  /** Stores bytes, by reference; they may be changed in place. */
  receive(chunk: Uint8Array): void {
    if (!this.#isClosed) this.#parser.receive(chunk);
  }

  /** Copies what is stored and not parsed, because the owner of the last chunk will use its memory again. */
  retain(): void {
    this.#parser.retain();
  }

  /** From now on the payload of data messages is validated and dropped; MESSAGE then carries an empty one. */
  discard(): void {
    this.#isDiscarding = true;
    this.#assembler.clear();
  }

  /**
   * One event.
   *
   * @throws {ProtocolError} if the peer broke a rule
   */
  next(isMessageWanted: boolean): ProtocolEvent {
    if (this.#isClosed) return ProtocolEvent.NEED_DATA;
    if (this.#pending !== null) return ProtocolEvent.PENDING;
    if (this.#pendingError !== null) throw this.#pendingError;
    for (;;) {
      if (this.#inflated !== null) {
        if (this.#takeInflated(this.#inflated)) return ProtocolEvent.MESSAGE;
        continue;
      }
      if (!this.#isInFrame) {
        const result = this.#parser.readHeader(isMessageWanted);
        if (result === HeaderResult.NEED_DATA) return ProtocolEvent.NEED_DATA;
        if (result === HeaderResult.STALLED) return ProtocolEvent.STALLED;
        this.#isInFrame = true;
        if (this.#parser.opcode < Opcode.CLOSE) this.#beginDataFrame();
        else this.#controlLength = 0;
      }
      if (this.#parser.opcode >= Opcode.CLOSE) {
        if (!this.#readControl()) return ProtocolEvent.NEED_DATA;
        return this.#finishControl();
      }
      const length = this.#parser.remaining === 0 ? 0 : this.#parser.unmaskPayload();
      if (length === 0 && this.#parser.remaining > 0) return ProtocolEvent.NEED_DATA;
      if (this.#readData(length)) return ProtocolEvent.MESSAGE;
      if (this.#pending !== null) return ProtocolEvent.PENDING;
    }
  }

  /** Sends a text of at most 5,461 units in one frame. @returns its bytes */
  sendShortText(text: string): number {
    return this.#writer.writeShortText(text, this.#utf8);
  }

  /** Sends one frame with `payload[start, end)`, copied; the first frame of a message carries its opcode, and RSV1 if compressed. */
  sendFrame(
    opcode: Opcode,
    isFin: boolean,
    isCompressed: boolean,
    payload: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#writer.writeFrame(opcode, isFin, isCompressed, payload, start, end);
  }

  /** @param payload at most 125 bytes */
  sendPing(payload: Uint8Array): void {
    this.#sendControl(Opcode.PING, payload);
  }

  /** @param payload at most 125 bytes */
  sendPong(payload: Uint8Array): void {
    this.#sendControl(Opcode.PONG, payload);
  }

  /** @throws {RangeError} if the reason is longer than 123 bytes */
  sendClose(closeCode: number | null, reason: string): void {
    this.#sendControl(Opcode.CLOSE, encodeCloseBody(closeCode, reason, this.#utf8));
  }

  /** UTF-8, lone surrogates as U+FFFD. */
  encodeText(text: string): Uint8Array {
    return this.#utf8.encode(text);
  }

  /** Bytes encoded and not taken. */
  get outputBytes(): number {
    return this.#blocks.byteLength;
  }

  /** Whether a block is there that will not grow any more. */
  get hasFullBlock(): boolean {
    return this.#blocks.hasFull;
  }

  /** The next bytes to write, or null. They are the caller's until {@link recycle}. */
  takeOutput(): Uint8Array | null {
    return this.#blocks.take();
  }

  /** Gives back what {@link takeOutput} returned, once nobody reads it any more. */
  recycle(bytes: Uint8Array): void {
    recycleBlock(bytes);
  }

  /** Frees what is held. Nothing is received or sent afterwards. */
  close(): void {
    this.#isClosed = true;
    this.#parser.clear();
    this.#assembler.clear();
    this.#blocks.clear();
    this.#inflated = null;
    this.#deflate?.inflater.close();
    this.#deflate?.deflater.close();
  }

  #sendControl(opcode: Opcode, payload: Uint8Array): void {
    this.#writer.writeFrame(opcode, true, false, payload, 0, payload.byteLength);
  }

  #beginDataFrame(): void {
    const parser = this.#parser;
    if (parser.opcode !== Opcode.CONTINUATION) {
      this.#isText = parser.opcode === Opcode.TEXT;
      this.#isCompressed = parser.isRsv1;
      this.#fragments = 0;
      this.#announcedBytes = 0;
      this.#messageBytes = 0;
    }
    this.#announcedBytes += parser.payloadLength;
    // Checked before a byte is buffered (F10); a compressed message is counted again while inflating (E24).
    if (this.#announcedBytes > this.#maxMessageBytes) {
      throw new ProtocolError(
        CloseCode.MESSAGE_TOO_BIG,
        `Cannot accept the message as maxMessageBytes is ${this.#maxMessageBytes}`,
        { section: "RFC 6455 §10.4", code: "ERR_SLUICE_MESSAGE_TOO_BIG", limit: "maxMessageBytes" },
      );
    }
    this.#fragments++;
    if (this.#fragments > this.#maxFragments) {
      throw new ProtocolError(
        CloseCode.POLICY_VIOLATION,
        `Cannot accept the message as maxFragments is ${this.#maxFragments}`,
        { section: "RFC 6455 §10.4", code: "ERR_SLUICE_TOO_MANY_FRAGMENTS", limit: "maxFragments" },
      );
    }
  }

  /** Takes the next `length` bytes of data payload, which end at the parser's position. @returns whether the message is whole */
  #readData(length: number): boolean {
    const parser = this.#parser;
    const isFrameEnd = parser.remaining === 0;
    const isMessageEnd = isFrameEnd && parser.isFin;
    const isWholeMessage = isMessageEnd && !parser.isInMessage && length === parser.payloadLength;
    if (isFrameEnd) {
      this.#isInFrame = false;
      parser.isInMessage = !parser.isFin;
    }
    const { chunk, position } = parser;
    if (this.#isCompressed) return this.#inflate(chunk.subarray(position - length, position), isMessageEnd);
    if (isWholeMessage) {
      this.#setWhole(chunk, position - length, position);
      return true;
    }
    this.#append(chunk, position - length, position, parser.isFin ? this.#announcedBytes : 0);
    if (!isMessageEnd) return false;
    this.#finishMessage();
    return true;
  }

  /** A message that lies in one piece in `bytes[start, end)`. */
  #setWhole(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.messageByteLength = length;
    if (this.#isText) {
      const text = this.#utf8.decode(bytes, start, end);
      if (text === null) failUtf8();
      this.message = this.#isDiscarding ? "" : text;
    } else if (this.#isDiscarding) {
      this.message = EMPTY;
    } else {
      this.message = copyBytes(bytes, start, length);
    }
  }

  #append(bytes: Uint8Array, start: number, end: number, total: number): void {
    this.#messageBytes += end - start;
    if (this.#isText && !this.#validator.push(bytes, start, end)) failUtf8();
    if (!this.#isDiscarding) this.#assembler.append(bytes, start, end, total);
  }

  #finishMessage(): void {
    this.messageByteLength = this.#messageBytes;
    if (this.#isText) {
      if (!this.#validator.isComplete) failUtf8();
      // Validated as it came, so this decodes.
      this.message = this.#isDiscarding
        ? ""
        : (this.#utf8.decode(this.#assembler.bytes, 0, this.#assembler.length) ?? "");
      this.#assembler.clear();
    } else {
      this.message = this.#isDiscarding ? EMPTY : this.#assembler.take();
    }
  }

  #inflate(input: Uint8Array, isMessageEnd: boolean): boolean {
    const { inflater } = this.#deflate as PerMessageDeflateCodec;
    const result = inflater.inflate(input, isMessageEnd, this.#maxMessageBytes - this.#messageBytes);
    if (!(result instanceof Promise)) return this.#takeInflated(result, isMessageEnd);
    this.#pending = result.then(
      (output) => {
        this.#pending = null;
        if (!this.#isClosed) this.#inflated = output;
        this.#isInflatedEnd = isMessageEnd;
      },
      (error: unknown) => {
        this.#pending = null;
        this.#pendingError = error;
      },
    );
    return false;
  }

  #isInflatedEnd = false;

  #takeInflated(output: Uint8Array, isMessageEnd: boolean = this.#isInflatedEnd): boolean {
    this.#inflated = null;
    if (isMessageEnd && this.#messageBytes === 0) {
      this.#setWhole(output, 0, output.byteLength);
      return true;
    }
    this.#append(output, 0, output.byteLength, 0);
    if (isMessageEnd) this.#finishMessage();
    return isMessageEnd;
  }

  /** Gathers a control frame's payload. @returns whether it is complete */
  #readControl(): boolean {
    const parser = this.#parser;
    if (this.#controlLength === 0) this.#controlPayload = new Uint8Array(parser.payloadLength);
    while (parser.remaining > 0) {
      const length = parser.unmaskPayload();
      if (length === 0) return false;
      const { chunk, position } = parser;
      for (let i = position - length; i < position; i++)
        this.#controlPayload[this.#controlLength++] = chunk[i] as number;
    }
    this.#isInFrame = false;
    return true;
  }

  #finishControl(): ProtocolEvent {
    this.payload = this.#controlPayload;
    this.#controlLength = 0;
    if (this.#parser.opcode === Opcode.PING) return ProtocolEvent.PING;
    if (this.#parser.opcode === Opcode.PONG) return ProtocolEvent.PONG;
    const { closeCode, reason } = decodeCloseBody(this.payload, this.#utf8);
    this.closeCode = closeCode;
    this.closeReason = reason;
    // C05: whatever follows a Close is ignored.
    this.#isClosed = true;
    this.#parser.clear();
    this.#assembler.clear();
    return ProtocolEvent.CLOSE;
  }
}

export interface WebSocketProtocolOptions {
  readonly role: Role;
  /** Fills with bytes from a cryptographic source. Called by a client's side only. */
  readonly fillRandom: (target: Uint8Array) => void;
  /** In bytes, after inflating. @defaultValue 100 MiB */
  readonly maxMessageBytes?: number | undefined;
  /** Frames of one message, empty ones included. @defaultValue 131,072 */
  readonly maxFragments?: number | undefined;
  /** Set when permessage-deflate was negotiated. */
  readonly deflate?: PerMessageDeflateCodec | undefined;
  /** @defaultValue TextDecoder and TextEncoder */
  readonly utf8?: Utf8Codec | undefined;
}

const EMPTY: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** An array of its own (D-09). Up to 64 bytes it lives on the heap, where a loop is the fastest copy. */
function copyBytes(bytes: Uint8Array, start: number, length: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(length);
  if (length <= 64) for (let i = 0; i < length; i++) copy[i] = bytes[start + i] as number;
  else copy.set(bytes.subarray(start, start + length));
  return copy;
}

function failUtf8(): never {
  throw new ProtocolError(CloseCode.INVALID_FRAME_PAYLOAD_DATA, "Cannot accept the text message as it is not UTF-8", {
    section: "RFC 6455 §8.1",
    code: "ERR_SLUICE_INVALID_UTF8",
  });
}
