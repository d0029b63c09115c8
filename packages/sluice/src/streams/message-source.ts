import { MessageQueue } from "./message-queue.ts";
import { MessageReadable, type MessageReader, type ReadableQueue } from "./message-readable.ts";
import { MessageByteLengthStrategy } from "./strategies.ts";

/** What a readable stream of a connection carries. */
export type ReadableMessage = string | Uint8Array<ArrayBuffer>;

/**
 * The readable side: a queue of messages in front of a platform ReadableStream (spec-digest 2.7).
 *
 * The queue is ours and the platform's stays empty (highWaterMark 0), so that demand can be computed exactly: there is
 * demand while a read waits or the queue is below its mark. Everything else (locks, pending reads, cancel, tee, pipes,
 * transfer) is the platform's. It is the platform's underlying source itself, as that makes no closures.
 */
export class MessageSource implements ReadableQueue, UnderlyingDefaultSource<ReadableMessage> {
  readonly readable: ReadableStream<ReadableMessage>;
  /** Nobody once the stream is done: the streams that a program keeps must not keep the connection. */
  #events: MessageSourceEvents;
  readonly #highWaterMark: number;
  readonly #size: SizeAlgorithm | null;
  #controller!: ReadableStreamDefaultController<ReadableMessage>;
  readonly #queue: MessageQueue = new MessageQueue();
  #isPulled = false;
  /** The connection ended: the stream closes behind the last queued message. */
  #hasEnded = false;
  /** Closed, errored or cancelled: the platform's stream takes nothing more. */
  #isDone = false;
  // What MessageReadable's readers need.
  reader: MessageReader | null = null;
  isDisturbed = false;
  waitingReads = 0;

  constructor(strategy: QueuingStrategy<ReadableMessage> | undefined, events: MessageSourceEvents) {
    this.#events = events;
    this.#highWaterMark = strategy?.highWaterMark === undefined ? 1 : toHighWaterMark(strategy.highWaterMark);
    this.#size = getSizeAlgorithm(strategy);
    this.readable = new MessageReadable(this);
  }

  /** The platform's call, as the next two. */
  start(controller: ReadableStreamDefaultController<ReadableMessage>): void {
    this.#controller = controller;
  }

  pull(): void {
    if (this.#isDone) return;
    if (this.#queue.length === 0) {
      this.#isPulled = true;
      this.#events.onDemand();
      return;
    }
    this.#enqueue(this.#queue.shift());
    this.#closeWhenEmpty();
    if (this.hasDemand) this.#events.onDemand();
  }

  cancel(reason: unknown): void {
    const events = this.#events;
    this.#clear();
    this.#finish();
    events.onCancel(reason);
  }

  /** Whether the next message is wanted now. */
  get hasDemand(): boolean {
    return !this.#isDone && (this.#isPulled || this.#hasRoom);
  }

  get #hasRoom(): boolean {
    const { totalSize, length } = this.#queue;
    return totalSize < this.#highWaterMark && (length < MAX_MEASURED_MESSAGES || this.#size === null);
  }

  /** Chunks in the platform's own queue, which stays empty unless a reader of another class gave its read up. */
  get platformChunks(): number {
    return this.#isDone ? 0 : -(this.#controller.desiredSize ?? 0);
  }

  /** Payload bytes in the queue. */
  get queuedBytes(): number {
    return this.#queue.totalBytes;
  }

  /** Delivers one message; to be called only while there is demand. */
  push(message: ReadableMessage, byteLength: number): void {
    if (this.#isDone) return;
    if (this.#isPulled) {
      // Cleared first: enqueue() may call pull() before it returns.
      this.#isPulled = false;
      this.#enqueue(message);
      return;
    }
    const size = this.#size === null ? 1 : this.#measure(this.#size, message, byteLength);
    if (size >= 0) this.#queue.push(message, byteLength, size);
  }

  /** The next message, for a reader of ours, if it is at hand; asks the engine for what may follow. */
  take(): ReadableMessage | undefined {
    if (this.#isDone || this.#queue.length === 0) return undefined;
    const message = this.#queue.shift();
    if (this.#hasEnded) this.#closeWhenEmpty();
    else if (this.#hasRoom) this.#events.onDemand();
    return message;
  }

  forgetReads(): void {
    this.#isPulled = false;
  }

  /** Closes the stream behind what is queued. */
  end(): void {
    if (this.#isDone) return;
    this.#hasEnded = true;
    this.#closeWhenEmpty();
  }

  /** Errors the stream; what is queued is dropped, as in the Streams standard. */
  error(reason: unknown): void {
    if (this.#isDone) return;
    this.#finish();
    this.#clear();
    this.#controller.error(reason);
  }

  #enqueue(message: ReadableMessage): void {
    if (this.waitingReads > 0) this.waitingReads--;
    this.#controller.enqueue(message);
  }

  #closeWhenEmpty(): void {
    if (!this.#hasEnded || this.#isDone || this.#queue.length > 0) return;
    this.#finish();
    this.#controller.close();
  }

  #finish(): void {
    this.#isDone = true;
    this.#events = NOBODY;
  }

  /** The strategy's size; one that throws or gives no usable number errors the stream (Streams §4.5.4). @returns -1 then */
  #measure(sizeAlgorithm: SizeAlgorithm, message: ReadableMessage, byteLength: number): number {
    try {
      const size = Number(sizeAlgorithm(message, byteLength));
      if (Number.isNaN(size) || size < 0 || size === Number.POSITIVE_INFINITY) {
        throw new RangeError(
          `Cannot queue the message as the strategy's size must be a finite number from 0: got ${size}`,
        );
      }
      return size;
    } catch (error) {
      const events = this.#events;
      this.error(error);
      events.onSourceError(error);
      return -1;
    }
  }

  #clear(): void {
    this.#queue.clear();
    this.#isPulled = false;
  }
}

export interface MessageSourceEvents {
  /** Demand arose. The next message may be delivered from inside this call. */
  onDemand(): void;
  /** The consumer cancelled the stream. */
  onCancel(reason: unknown): void;
  /** The strategy broke the stream. */
  onSourceError(reason: unknown): void;
}

const NOBODY: MessageSourceEvents = { onDemand() {}, onCancel() {}, onSourceError() {} };

/** As Streams §7.4 ExtractHighWaterMark. @throws {RangeError} for NaN and negative numbers */
function toHighWaterMark(value: unknown): number {
  const highWaterMark = Number(value);
  if (Number.isNaN(highWaterMark) || highWaterMark < 0) {
    throw new RangeError(
      `Cannot use this readableStrategy as highWaterMark must be 0 or more: current value is ${value}`,
    );
  }
  return highWaterMark;
}

/** What a binary message takes in memory besides its payload (measured: 200 to 300 bytes): a flood of empty ones counts too. */
const MESSAGE_BYTES = 256;

/** Messages queued at most where something else is counted: an empty one may measure nothing. */
const MAX_MEASURED_MESSAGES = 65_536;

type SizeAlgorithm = (message: ReadableMessage, byteLength: number) => number;

function getSizeAlgorithm(strategy: QueuingStrategy<ReadableMessage> | undefined): SizeAlgorithm | null {
  const size = strategy?.size;
  if (size === undefined) return null;
  if (typeof size !== "function") {
    throw new TypeError(`Cannot use this readableStrategy as size must be a function: current type is ${typeof size}`);
  }
  // The engine has counted the bytes already.
  if (strategy instanceof MessageByteLengthStrategy) return (_, byteLength) => byteLength + MESSAGE_BYTES;
  return (chunk) => size(chunk);
}
