import { MessageByteLengthStrategy } from "./strategies.ts";

/** What a readable stream of a connection carries. */
export type ReadableMessage = string | Uint8Array<ArrayBuffer>;

/**
 * The readable side: a queue of messages in front of a platform ReadableStream (spec-digest 2.7).
 *
 * The queue is ours and the platform's stays empty (highWaterMark 0), so that demand can be computed exactly: there is
 * demand while a read waits or the queue is below its mark. Everything else (locks, pending reads, cancel, tee, pipes,
 * transfer) is the platform's.
 */
export class MessageSource {
  readonly readable: ReadableStream<ReadableMessage>;
  readonly #events: MessageSourceEvents;
  readonly #highWaterMark: number;
  readonly #size: ((chunk: ReadableMessage, byteLength: number) => number) | null;
  #controller!: ReadableStreamDefaultController<ReadableMessage>;
  #queue: QueuedMessage[] = [];
  #first = 0;
  #queueSize = 0;
  #queuedBytes = 0;
  #isPulled = false;
  /** The connection ended: the stream closes behind the last queued message. */
  #hasEnded = false;
  /** Closed, errored or cancelled: the platform's stream takes nothing more. */
  #isDone = false;

  constructor(strategy: QueuingStrategy<ReadableMessage> | undefined, events: MessageSourceEvents) {
    this.#events = events;
    this.#highWaterMark = strategy?.highWaterMark === undefined ? 1 : toHighWaterMark(strategy.highWaterMark);
    this.#size = getSizeAlgorithm(strategy);
    this.readable = new ReadableStream<ReadableMessage>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: (reason) => {
          this.#clear();
          this.#isDone = true;
          this.#events.onCancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Whether the next message is wanted now. */
  get hasDemand(): boolean {
    return !this.#isDone && (this.#isPulled || this.#queueSize < this.#highWaterMark);
  }

  /** Payload bytes in the queue. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Delivers one message; to be called only while there is demand. */
  push(message: ReadableMessage, byteLength: number): void {
    if (this.#isDone) return;
    if (this.#isPulled) {
      // Cleared first: enqueue() may call pull() before it returns.
      this.#isPulled = false;
      this.#controller.enqueue(message);
      return;
    }
    const size = this.#measure(message, byteLength);
    if (size === null) return;
    this.#queue.push({ message, byteLength, size });
    this.#queueSize += size;
    this.#queuedBytes += byteLength;
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
    this.#isDone = true;
    this.#clear();
    this.#controller.error(reason);
  }

  #pull(): void {
    if (this.#isDone) return;
    const next = this.#shift();
    if (next === undefined) {
      this.#isPulled = true;
      this.#events.onDemand();
      return;
    }
    this.#controller.enqueue(next.message);
    this.#closeWhenEmpty();
    if (this.hasDemand) this.#events.onDemand();
  }

  #shift(): QueuedMessage | undefined {
    if (this.#first === this.#queue.length) return undefined;
    const next = this.#queue[this.#first] as QueuedMessage;
    this.#first++;
    if (this.#first === this.#queue.length) {
      this.#queue.length = 0;
      this.#first = 0;
    } else if (this.#first > 1024) {
      this.#queue.splice(0, this.#first);
      this.#first = 0;
    }
    // Sums of fractional sizes may leave a trace below zero (Streams §8.1.1).
    this.#queueSize = this.#queue.length === 0 ? 0 : Math.max(0, this.#queueSize - next.size);
    this.#queuedBytes -= next.byteLength;
    return next;
  }

  #closeWhenEmpty(): void {
    if (!this.#hasEnded || this.#isDone || this.#first < this.#queue.length) return;
    this.#isDone = true;
    this.#controller.close();
  }

  /** The strategy's size; a strategy that throws or gives no usable number errors the stream (Streams §4.5.4). */
  #measure(message: ReadableMessage, byteLength: number): number | null {
    if (this.#size === null) return 1;
    try {
      const size = Number(this.#size(message, byteLength));
      if (Number.isNaN(size) || size < 0 || size === Number.POSITIVE_INFINITY) {
        throw new RangeError(`Cannot queue the message as the strategy's size must be a finite number from 0: got ${size}`);
      }
      return size;
    } catch (error) {
      this.error(error);
      this.#events.onSourceError(error);
      return null;
    }
  }

  #clear(): void {
    this.#queue = [];
    this.#first = 0;
    this.#queueSize = 0;
    this.#queuedBytes = 0;
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

interface QueuedMessage {
  readonly message: ReadableMessage;
  readonly byteLength: number;
  readonly size: number;
}

/** As Streams §7.4 ExtractHighWaterMark. @throws {RangeError} for NaN and negative numbers */
function toHighWaterMark(value: unknown): number {
  const highWaterMark = Number(value);
  if (Number.isNaN(highWaterMark) || highWaterMark < 0) {
    throw new RangeError(`Cannot use this readableStrategy as highWaterMark must be 0 or more: current value is ${value}`);
  }
  return highWaterMark;
}

function getSizeAlgorithm(
  strategy: QueuingStrategy<ReadableMessage> | undefined,
): ((chunk: ReadableMessage, byteLength: number) => number) | null {
  const size = strategy?.size;
  if (size === undefined) return null;
  if (typeof size !== "function") {
    throw new TypeError(`Cannot use this readableStrategy as size must be a function: current type is ${typeof size}`);
  }
  // The engine has counted the bytes already.
  if (strategy instanceof MessageByteLengthStrategy) return (_, byteLength) => byteLength;
  return (chunk) => size(chunk);
}
