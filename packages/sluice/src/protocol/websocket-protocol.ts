import { decodeCloseBody, encodeCloseBody } from "./close-frame.ts";
import { FrameParser, HeaderResult } from "./frame-parser.ts";
import { FrameWriter } from "./frame-writer.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { MaskingKeys } from "./mask.ts";
import { MessageReader, ReadResult } from "./message-reader.ts";
import { Opcode } from "./opcode.ts";
import { OutputBlocks, recycleBlock } from "./output-blocks.ts";
import type { PerMessageDeflateCodec } from "./permessage-deflate/codec.ts";
import type { Role } from "./role.ts";
import { standardUtf8Codec, type Utf8Codec } from "./utf8.ts";

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
 * (F19). A fault of the peer is thrown as a ProtocolError, after which nothing more is received.
 */
export class WebSocketProtocol {
  readonly #utf8: Utf8Codec;
  readonly #parser: FrameParser;
  readonly #blocks: OutputBlocks = new OutputBlocks();
  readonly #writer: FrameWriter;
  readonly #deflate: PerMessageDeflateCodec | null;
  readonly #reader: MessageReader;
  #isClosed = false;
  /** What {@link next} threw. */
  #error: unknown = null;
  #isInFrame = false;
  #controlPayload: Uint8Array = EMPTY;
  #controlLength = 0;

  // Data of the last event.
  message: string | Uint8Array<ArrayBuffer> = "";
  messageByteLength = 0;
  payload: Uint8Array = EMPTY;
  closeCode = 0;
  closeReason = "";

  constructor(options: WebSocketProtocolOptions) {
    this.#utf8 = options.utf8 ?? standardUtf8Codec;
    this.#deflate = options.deflate ?? null;
    this.#parser = new FrameParser(options.role, this.#deflate !== null);
    this.#writer = new FrameWriter(this.#blocks, options.role === "client" ? MaskingKeys.of(options.fillRandom) : null);
    const limits = {
      maxMessageBytes: options.maxMessageBytes ?? DEFAULT_LIMITS.maxMessageBytes,
      maxFragments: options.maxFragments ?? DEFAULT_LIMITS.maxFragments,
      maxInflateRatio: options.maxInflateRatio ?? DEFAULT_LIMITS.maxInflateRatio,
    };
    const isPooled = options.chunkBuffers === "pooled";
    this.#reader = new MessageReader(this.#utf8, this.#deflate?.inflater ?? null, limits, isPooled);
  }

  /** Bytes received and not parsed. */
  get bufferedBytes(): number {
    return this.#parser.bufferedBytes;
  }

  /** Memory of the message in assembly, and of the inflater. */
  get assembledBytes(): number {
    return this.#reader.heldBytes;
  }

  /** Whether a data message has begun and not ended. */
  get isInMessage(): boolean {
    return this.#parser.isInMessage || (this.#isInFrame && this.#parser.opcode < Opcode.CLOSE);
  }

  /** An asynchronous inflation that holds the parser, or null. It never rejects; what went wrong is thrown by `next`. */
  get pending(): Promise<void> | null {
    return this.#reader.pending;
  }

  /** Stores bytes, by reference; they may be changed in place. */
  receive(chunk: Uint8Array): void {
    if (!this.#isClosed && this.#error === null) this.#parser.receive(chunk);
  }

  /** Copies what is stored and not parsed, because the owner of the last chunk will use its memory again. */
  retain(): void {
    this.#parser.retain();
  }

  /** From now on the payload of data messages is validated and dropped; MESSAGE then carries an empty one. */
  discard(): void {
    this.#reader.discard();
  }

  /**
   * One event.
   *
   * @throws {ProtocolError} if the peer broke a rule; each later call throws the same
   */
  next(isMessageWanted: boolean): ProtocolEvent {
    // A message is its receiver's now; a connection at rest would hold it.
    this.message = "";
    if (this.#isClosed) return ProtocolEvent.NEED_DATA;
    if (this.#error !== null) throw this.#error;
    try {
      return this.#parse(isMessageWanted);
    } catch (error) {
      // RFC 6455 §7.1.7: "MUST NOT continue to attempt to process data"
      this.#error = error;
      this.#dropInput();
      throw error;
    }
  }

  #parse(isMessageWanted: boolean): ProtocolEvent {
    const parser = this.#parser;
    const reader = this.#reader;
    if (reader.isInterrupted) {
      const result = reader.resume();
      if (result !== ReadResult.MORE) return this.#toEvent(result);
    }
    for (;;) {
      if (!this.#isInFrame) {
        const header = parser.readHeader(isMessageWanted);
        if (header === HeaderResult.NEED_DATA) return ProtocolEvent.NEED_DATA;
        if (header === HeaderResult.STALLED) return ProtocolEvent.STALLED;
        this.#isInFrame = true;
        if (parser.opcode < Opcode.CLOSE) {
          reader.beginFrame(parser);
        } else {
          this.#controlPayload = new Uint8Array(parser.payloadLength);
          this.#controlLength = 0;
        }
      }
      if (parser.opcode >= Opcode.CLOSE) return this.#readControl() ? this.#finishControl() : ProtocolEvent.NEED_DATA;
      const length = parser.remaining === 0 ? 0 : parser.unmaskPayload();
      if (length === 0 && parser.remaining > 0) return ProtocolEvent.NEED_DATA;
      if (parser.remaining === 0) {
        this.#isInFrame = false;
        parser.isInMessage = !parser.isFin;
      }
      const result = reader.read(parser, length);
      if (result !== ReadResult.MORE) return this.#toEvent(result);
    }
  }

  /** Sends a text of at most 5,461 units in one frame. @returns its bytes */
  sendShortText(text: string): number {
    return this.#writer.writeShortText(text, this.#utf8);
  }

  /**
   * Sends one frame with what fits of a text from the code unit `start` on.
   *
   * @returns the code units and the bytes that are in it
   */
  sendTextPart(opcode: Opcode, text: string, start: number): { read: number; written: number } {
    return this.#writer.writeTextPart(opcode, text, start, this.#utf8);
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

  /** @throws {RangeError} if the payload is longer than 125 bytes */
  sendPing(payload: Uint8Array): void {
    this.#sendControl(Opcode.PING, payload);
  }

  /** @throws {RangeError} if the payload is longer than 125 bytes */
  sendPong(payload: Uint8Array): void {
    this.#sendControl(Opcode.PONG, payload);
  }

  /** Puts a frame behind the others that was encoded elsewhere: a server's, the same for many connections. */
  sendEncoded(frame: Uint8Array): void {
    const blocks = this.#blocks;
    blocks.reserve(frame.byteLength).set(frame, blocks.offset);
    blocks.commit(frame.byteLength);
  }

  /** @throws {RangeError} if the reason is longer than 123 bytes */
  sendClose(closeCode: number | null, reason: string): void {
    this.#sendControl(Opcode.CLOSE, encodeCloseBody(closeCode, reason, this.#utf8));
  }

  /** Bytes that {@link encodeText} would give. */
  byteLengthOf(text: string): number {
    return this.#utf8.byteLength(text);
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
    this.#dropInput();
    this.#blocks.clear();
    this.#deflate?.inflater.close();
    this.#deflate?.deflater.close();
  }

  #dropInput(): void {
    this.#parser.clear();
    this.#reader.clear();
    this.#isInFrame = false;
  }

  #sendControl(opcode: Opcode, payload: Uint8Array): void {
    // RFC 6455 §5.5: "MUST have a payload length of 125 bytes or less"
    if (payload.byteLength > 125) {
      throw new RangeError(
        `Cannot send control frame as its payload must be at most 125 bytes: current length is ${payload.byteLength}`,
      );
    }
    this.#writer.writeFrame(opcode, true, false, payload, 0, payload.byteLength);
  }

  #toEvent(result: ReadResult): ProtocolEvent {
    if (result === ReadResult.PENDING) return ProtocolEvent.PENDING;
    this.message = this.#reader.takeMessage();
    this.messageByteLength = this.#reader.messageByteLength;
    return ProtocolEvent.MESSAGE;
  }

  /** Gathers a control frame's payload. @returns whether it is complete */
  #readControl(): boolean {
    const parser = this.#parser;
    const payload = this.#controlPayload;
    while (parser.remaining > 0) {
      const length = parser.unmaskPayload();
      if (length === 0) return false;
      const { chunk, position } = parser;
      for (let i = position - length; i < position; i++) payload[this.#controlLength++] = chunk[i] as number;
    }
    this.#isInFrame = false;
    return true;
  }

  #finishControl(): ProtocolEvent {
    this.payload = this.#controlPayload;
    if (this.#parser.opcode === Opcode.PING) return ProtocolEvent.PING;
    if (this.#parser.opcode === Opcode.PONG) return ProtocolEvent.PONG;
    const { closeCode, reason } = decodeCloseBody(this.payload, this.#utf8);
    this.closeCode = closeCode;
    this.closeReason = reason;
    // C05: whatever follows a Close is ignored.
    this.#isClosed = true;
    this.#dropInput();
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
  /** Most bytes that one byte of a compressed message may become, above 256 KiB. @defaultValue Infinity */
  readonly maxInflateRatio?: number | undefined;
  /** "own": each binary message has a buffer of its own (D-09); "pooled": small ones may share one. @defaultValue "own" */
  readonly chunkBuffers?: "own" | "pooled" | undefined;
  /** Set when permessage-deflate was negotiated. */
  readonly deflate?: PerMessageDeflateCodec | undefined;
  /** @defaultValue TextDecoder and TextEncoder */
  readonly utf8?: Utf8Codec | undefined;
}

const EMPTY: Uint8Array<ArrayBuffer> = new Uint8Array(0);
