import { WebSocketError } from "../../packages/sluice/src/streams/websocket-error.ts";
import type { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { addContent, type Content, readId } from "./content.ts";
import type { WireMonitor } from "./wire-monitor.ts";

/** A promise under observation: it must settle, and what it settled with is compared later. */
export interface Observed {
  readonly name: string;
  state: "pending" | "fulfilled" | "rejected";
  value: unknown;
}

/** One WebSocketStream as the model uses it: every promise is observed, every message recorded. */
export class StreamSide {
  readonly stream: WebSocketStream;
  readonly name: string;
  readonly monitor: WireMonitor;
  readonly observed: Observed[] = [];
  readonly written: { readonly content: Content; readonly outcome: Observed }[] = [];
  /** Numbers of the messages that were read. */
  readonly received: number[] = [];
  readonly problems: string[] = [];
  readonly opened: Observed;
  readonly closed: Observed;
  readerClosed: Observed | null = null;
  writerClosed: Observed | null = null;
  /** Reads to the end were seen: the readable is done. */
  isDone = false;
  /** This side gave up messages by its own act: close(), abort(), cancel(), or ended its sink, which drops what comes. */
  hasDiscarded = false;
  /** What the model passed to abort() and cancel(). */
  readonly #ownReasons: Set<unknown> = new Set();
  readonly #contents: Map<number, Content>;
  /** The one InvalidStateError that there may be. */
  #invalidState: unknown = null;
  #answersLeft: number;
  #reader: ReadableStreamDefaultReader<string | Uint8Array> | null = null;
  #writer: WritableStreamDefaultWriter<string | BufferSource> | null = null;

  /**
   * @param contents all messages of the sequence, by number
   * @param answers so many messages are answered, each from within the reaction to its read()
   */
  constructor(
    stream: WebSocketStream,
    name: string,
    monitor: WireMonitor,
    contents: Map<number, Content>,
    answers: number = 0,
  ) {
    this.stream = stream;
    this.name = name;
    this.monitor = monitor;
    this.#contents = contents;
    this.#answersLeft = answers;
    this.opened = this.observe("opened", stream.opened);
    this.closed = this.observe("closed", stream.closed);
    stream.opened.then(
      ({ readable, writable }) => {
        this.#reader = readable.getReader();
        this.#writer = writable.getWriter();
        this.readerClosed = this.observe("reader.closed", this.#reader.closed);
        this.writerClosed = this.observe("writer.closed", this.#writer.closed);
      },
      () => {},
    );
  }

  /** Ended, with nothing that this side did not get. */
  get hasEverything(): boolean {
    return this.closed.state === "fulfilled" && !this.hasDiscarded;
  }

  observe(name: string, promise: Promise<unknown>): Observed {
    const observed: Observed = { name: `${this.name}.${name}`, state: "pending", value: undefined };
    promise.then(
      (value) => {
        observed.state = "fulfilled";
        observed.value = value;
      },
      (reason) => {
        observed.state = "rejected";
        observed.value = reason;
      },
    );
    this.observed.push(observed);
    return observed;
  }

  send(content: Content): void {
    if (this.#writer === null) return;
    const { id, kind } = content;
    const bytes = kind === "text" ? null : content.bytes;
    const message = bytes === null ? content.text : kind === "buffer" ? bytes.buffer : bytes;
    try {
      this.written.push({ content, outcome: this.observe(`write(${id})`, this.#writer.write(message)) });
    } catch (error) {
      this.problems.push(`${this.name} threw from write(${id}): ${error}`);
    }
  }

  read(): Observed | null {
    if (this.#reader === null) return null;
    const reading = this.#reader.read();
    reading.then(
      ({ value, done }) => {
        if (done) this.isDone = true;
        else this.#receive(value);
      },
      () => {},
    );
    return this.observe("read()", reading);
  }

  close(closeCode: number | undefined, reason: string): void {
    this.hasDiscarded = true;
    this.stream.close({ closeCode, reason });
  }

  closeWriter(): void {
    if (this.#writer === null) return;
    this.hasDiscarded = true;
    this.observe("writer.close()", this.#writer.close());
  }

  abort(closeCode: number | null): void {
    if (this.#writer === null) return;
    this.hasDiscarded = true;
    this.observe("writer.abort()", this.#writer.abort(this.#createReason(closeCode)));
  }

  cancel(closeCode: number | null): void {
    if (this.#reader === null) return;
    this.hasDiscarded = true;
    this.observe("reader.cancel()", this.#reader.cancel(this.#createReason(closeCode)));
  }

  /** What must hold in the end. */
  checkEnd(): void {
    for (const one of this.observed) {
      if (one.state === "pending") this.problems.push(`${one.name} is pending`);
      if (one.state === "rejected") this.#checkRejection(one);
    }
    const heldBytes = this.stream.metrics().heldBytesOut - this.monitor.unsentBytes;
    if (heldBytes > 0) this.problems.push(`${this.name} still holds ${heldBytes} bytes out`);
    this.#checkReadable();
    this.#checkWritable();
    this.#checkWritten();
  }

  #createReason(closeCode: number | null): unknown {
    const reason = closeCode === null ? new Error("mine") : new WebSocketError("", { closeCode, reason: "mine" });
    this.#ownReasons.add(reason);
    return reason;
  }

  #receive(message: string | Uint8Array): void {
    const id = readId(message);
    this.received.push(id);
    if (this.#answersLeft > 0) {
      this.#answersLeft--;
      this.send(addContent(this.#contents, this.#answersLeft % 2 === 0 ? "text" : "view", 1000));
    }
    if (this.#contents.get(id)?.equals(message) !== true) this.problems.push(`${this.name} read message ${id} damaged`);
  }

  /** Promise 3: one error object per failure, of the right kind. */
  #checkRejection({ name, value }: Observed): void {
    const error = value as Error;
    // An internal guard of the engine: callers look at the state first.
    if (`${error?.message}`.startsWith("Cannot send as the connection is not open")) {
      this.problems.push(`${name} shows an internal error: ${error.message}`);
    }
    if (value === this.closed.value || this.#ownReasons.has(value)) return;
    if (error?.name === "InvalidStateError") {
      this.#invalidState ??= error;
      if (error !== this.#invalidState) this.problems.push(`${name} has an InvalidStateError of its own`);
    } else if (error?.name !== "TypeError") {
      this.problems.push(`${name} has an error of its own: ${error}`);
    } else if (!/write|close|abort/.test(name)) {
      this.problems.push(`${name} rejected with ${error}`);
    }
  }

  /** Spec-digest 2.13: an unclean end errors the readable with the error of `closed`, a clean one ends it. */
  #checkReadable(): void {
    const { readerClosed, closed } = this;
    if (closed.state === "fulfilled" && readerClosed?.state === "rejected")
      this.problems.push("a clean readable errored");
    for (const one of this.observed) {
      const isReading = one.name.endsWith("read()") || one === readerClosed;
      if (isReading && one.state === "rejected" && one.value !== closed.value) {
        this.problems.push(`${one.name} and closed have different errors`);
      }
    }
  }

  /** What the stream is errored with, every write rejects with; the one in flight may carry the error of `closed`. */
  #checkWritable(): void {
    const { writerClosed, closed } = this;
    if (writerClosed === null) return;
    let ofItsOwn = 0;
    for (const { outcome } of this.written) {
      if (outcome.state !== "rejected") continue;
      if (outcome.value === writerClosed.value) continue;
      // Behind writer.close().
      if ((outcome.value as Error).name === "TypeError") continue;
      ofItsOwn++;
      const isAllowed = outcome.value === closed.value || this.#ownReasons.has(outcome.value);
      if (!isAllowed || ofItsOwn > 1) this.problems.push(`${outcome.name} does not have the writable's error`);
    }
    for (const one of this.observed) {
      if (!one.name.endsWith("writer.close()") || one.state !== "rejected" || closed.state !== "rejected") continue;
      if (one.value instanceof WebSocketError && !this.#ownReasons.has(one.value) && one.value !== closed.value) {
        this.problems.push(`${one.name} and closed have different errors`);
      }
    }
  }

  /** Promise 2: what was accepted is on the wire, in order. */
  #checkWritten(): void {
    const ids = this.written.map(({ content }) => content.id);
    const sent = this.monitor.messages;
    if (sent.some((id, i) => id !== ids[i])) this.problems.push(`${this.name} wrote ${ids} and sent ${sent}`);
    const accepted = this.written.filter(({ outcome }) => outcome.state === "fulfilled").length;
    if (accepted > sent.length) this.problems.push(`${this.name} took ${accepted} messages and sent ${sent.length}`);
  }
}
