import type { WritableMessage } from "./message-sink.ts";

/**
 * A platform WritableStream whose own writers hand a message straight to the sink while nothing is queued and there is
 * room: no queue record, no sink call, one promise. Every other case is the platform's code; while the connection is
 * blocked each write goes through it, so backpressure stays exact.
 */
export class MessageWritable extends WritableStream<WritableMessage> {
  readonly #sink: WritableSink;

  constructor(
    sink: UnderlyingSink<WritableMessage> & WritableSink,
    strategy: QueuingStrategy<WritableMessage> | undefined,
  ) {
    super(sink, strategy);
    this.#sink = sink;
  }

  /** Like the platform's; the writer is a WritableStreamDefaultWriter. */
  override getWriter(): WritableStreamDefaultWriter<WritableMessage> {
    // Whoever replaced the platform's write(), such as a tracing tool, wants to see every write.
    if (WritableStreamDefaultWriter.prototype.write !== platformWrite) return super.getWriter();
    return new MessageWriter(this, this.#sink);
  }

  static {
    Object.defineProperty(MessageWritable.prototype, "constructor", {
      value: WritableStream,
      writable: true,
      configurable: true,
      enumerable: false,
    });
  }
}

/** The sink behind a {@link MessageWritable}, as its writers see it. */
export interface WritableSink {
  /** What `desiredSize` is while nothing is queued; null if a custom size function decides. */
  readonly idleSize: number | null;
  /** Whether the platform has started the sink, and neither we nor it have ended it. */
  readonly isReady: boolean;
  /**
   * Sends the message. False if the platform's `write()` must be called with the same chunk at once: it was sent and has to
   * wait there, or it was not sent as it may not be what it seems.
   */
  trySend(chunk: string | Uint8Array): boolean;
}

const platformWrite = WritableStreamDefaultWriter.prototype.write;
const RESOLVED = Promise.resolve();

/** A genuine writer with the genuine lock, and the short cut. */
class MessageWriter extends WritableStreamDefaultWriter<WritableMessage> {
  readonly #sink: WritableSink;
  /** Short-cut writes whose promise has not been seen to fulfil yet: until then they count against `desiredSize`. */
  #unsettled = 0;
  /** The newest of their promises, and what fulfils behind it. */
  #lastWrite: Promise<void> = RESOLVED;
  #ready: Promise<undefined> | null = null;
  #isReleased = false;

  constructor(stream: MessageWritable, sink: WritableSink) {
    super(stream);
    this.#sink = sink;
  }

  override write(chunk?: WritableMessage): Promise<void> {
    const sink = this.#sink;
    if (
      sink.isReady &&
      (typeof chunk === "string" || chunk instanceof Uint8Array) &&
      !this.#isReleased &&
      super.desiredSize === sink.idleSize &&
      sink.trySend(chunk)
    ) {
      this.#unsettled++;
      this.#ready = null;
      this.#lastWrite = RESOLVED.then(this.#onSettled);
      return this.#lastWrite;
    }
    try {
      return super.write(chunk);
    } catch {
      // Node 20 fails an assertion of its own where the standard says: behind close(), reject with a TypeError.
      return Promise.reject(new TypeError("Cannot write as the stream is closing or closed"));
    }
  }

  override get desiredSize(): number | null {
    const size = super.desiredSize;
    return size === null ? null : size - this.#unsettled;
  }

  override get ready(): Promise<undefined> {
    if (this.#unsettled === 0 || this.#isReleased || (this.desiredSize ?? 1) > 0) {
      return super.ready as Promise<undefined>;
    }
    // One hop behind the write: its reactions run before those to ready, as in the standard. Chained rather than made and
    // resolved by hand, which takes four times the memory per message.
    this.#ready ??= this.#lastWrite.then(returnUndefined);
    return this.#ready;
  }

  override releaseLock(): void {
    super.releaseLock();
    this.#isReleased = true;
  }

  readonly #onSettled = (): void => {
    this.#unsettled--;
  };
}

function returnUndefined(): undefined {
  return undefined;
}
