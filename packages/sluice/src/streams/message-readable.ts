import type { ReadableMessage } from "./message-source.ts";

/**
 * A platform ReadableStream whose own readers take a message straight from the queue when one is at hand: a promise and a
 * result object a message, nothing else. Every other case (an empty queue, close, error, cancel, release, tee, pipes,
 * transfer) is the platform's code: only "a message is there" is short-cut, so brand checks and semantics stay.
 */
export class MessageReadable extends ReadableStream<ReadableMessage> {
  readonly #queue: ReadableQueue;

  constructor(source: UnderlyingDefaultSource<ReadableMessage> & ReadableQueue) {
    super(source, NOTHING_QUEUED);
    this.#queue = source;
  }

  /** Like the platform's; the reader is a ReadableStreamDefaultReader. */
  override getReader(options?: ReadableStreamGetReaderOptions): never {
    if (!isFast() || options?.mode !== undefined) return super.getReader(options as never) as never;
    return new MessageReader(this, this.#queue) as never;
  }

  /** Like the platform's. */
  override values(options?: ReadableStreamIteratorOptions): ReadableStreamAsyncIterator<ReadableMessage> {
    if (!isFast()) return super.values(options);
    const preventCancel = Boolean(options?.preventCancel);
    return new MessageIterator(new MessageReader(this, this.#queue), this.#queue, preventCancel) as never;
  }

  static {
    // Programs that look at `constructor`, or compare the two iterator methods, see the platform's class.
    const { prototype } = MessageReadable;
    const hidden = { writable: true, configurable: true, enumerable: false };
    Object.defineProperty(prototype, "constructor", { value: ReadableStream, ...hidden });
    Object.defineProperty(prototype, Symbol.asyncIterator, { value: prototype.values, ...hidden });
  }
}

const NOTHING_QUEUED: QueuingStrategy<ReadableMessage> = { highWaterMark: 0 };

/** The queue behind a {@link MessageReadable}, as its readers see it. */
export interface ReadableQueue {
  /** The reader that holds the lock, if it is a {@link MessageReader}. */
  reader: MessageReader | null;
  /** Whether the platform's stream knows that it was read from, which only its own `read()` tells it. */
  isDisturbed: boolean;
  /** Reads of the current reader that wait inside the platform's stream. */
  waitingReads: number;
  /** Chunks in the platform's own queue, left there by a reader of another class. */
  readonly platformChunks: number;
  /** The next message if it is at hand; undefined if a read has to wait. */
  take(): ReadableMessage | undefined;
  /** The reads that the platform had asked messages for were given up. */
  forgetReads(): void;
}

/** A genuine reader with the genuine lock, and the short cut. */
export class MessageReader extends ReadableStreamDefaultReader<ReadableMessage> {
  readonly #queue: ReadableQueue;
  /** Chunks in front of ours, in the platform's queue. */
  #ahead: number;

  constructor(stream: MessageReadable, queue: ReadableQueue) {
    super(stream);
    this.#queue = queue;
    this.#ahead = queue.platformChunks;
    queue.reader = this;
    queue.waitingReads = 0;
  }

  override read(): Promise<ReadableStreamReadResult<ReadableMessage>> {
    const queue = this.#queue;
    if (queue.reader === this && queue.isDisturbed && queue.waitingReads === 0 && this.#ahead === 0) {
      const value = queue.take();
      if (value !== undefined) return Promise.resolve({ value, done: false });
    }
    return this.#readFromPlatform();
  }

  #readFromPlatform(): Promise<ReadableStreamReadResult<ReadableMessage>> {
    const queue = this.#queue;
    if (queue.reader === this) {
      queue.isDisturbed = true;
      if (this.#ahead > 0) this.#ahead--;
      else queue.waitingReads++;
    }
    return super.read();
  }

  override releaseLock(): void {
    super.releaseLock();
    const queue = this.#queue;
    if (queue.reader !== this) return;
    queue.reader = null;
    queue.waitingReads = 0;
    queue.forgetReads();
  }
}

/** The async iterator of Web IDL over a {@link MessageReader}: `next()` calls in flight are answered in order. */
class MessageIterator {
  readonly #reader: MessageReader;
  readonly #queue: ReadableQueue;
  readonly #preventCancel: boolean;
  #isFinished = false;
  #ongoing: Promise<IteratorResult<ReadableMessage>> | null = null;

  constructor(reader: MessageReader, queue: ReadableQueue, preventCancel: boolean) {
    this.#reader = reader;
    this.#queue = queue;
    this.#preventCancel = preventCancel;
  }

  next(): Promise<IteratorResult<ReadableMessage>> {
    if (this.#ongoing === null && !this.#isFinished && this.#queue.isDisturbed && this.#queue.waitingReads === 0) {
      // The reader's own short cut, one promise: it rejects nothing, so nothing needs to be watched.
      const value = this.#queue.platformChunks === 0 ? this.#queue.take() : undefined;
      if (value !== undefined) return Promise.resolve({ value, done: false });
    }
    return this.#follow(() => this.#read());
  }

  return(value?: unknown): Promise<IteratorResult<ReadableMessage>> {
    return this.#follow(async () => {
      if (!this.#isFinished) {
        this.#isFinished = true;
        const cancelling = this.#preventCancel ? undefined : this.#reader.cancel(value);
        this.#reader.releaseLock();
        await cancelling;
      }
      return { value: value as never, done: true };
    });
  }

  async #read(): Promise<IteratorResult<ReadableMessage>> {
    if (this.#isFinished) return { value: undefined, done: true };
    try {
      const result = await this.#reader.read();
      if (!result.done) return { value: result.value, done: false };
    } catch (error) {
      this.#isFinished = true;
      this.#reader.releaseLock();
      throw error;
    }
    this.#isFinished = true;
    this.#reader.releaseLock();
    return { value: undefined, done: true };
  }

  #follow(step: () => Promise<IteratorResult<ReadableMessage>>): Promise<IteratorResult<ReadableMessage>> {
    const ongoing = this.#ongoing === null ? step() : this.#ongoing.then(step, step);
    this.#ongoing = ongoing;
    const clear = (): void => {
      if (this.#ongoing === ongoing) this.#ongoing = null;
    };
    ongoing.then(clear, clear);
    return ongoing;
  }

  static {
    const platformIterator = Object.getPrototypeOf(ReadableStream.prototype.values.call(new ReadableStream()));
    Object.setPrototypeOf(MessageIterator.prototype, Object.getPrototypeOf(platformIterator));
    Object.defineProperty(MessageIterator.prototype, Symbol.toStringTag, {
      value: platformIterator[Symbol.toStringTag],
      configurable: true,
    });
  }
}

const platformRead = ReadableStreamDefaultReader.prototype.read;

/** Whoever replaced the platform's read(), such as a tracing tool, wants to see every read. */
function isFast(): boolean {
  return ReadableStreamDefaultReader.prototype.read === platformRead;
}
