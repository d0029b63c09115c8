import type { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";

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
  readonly observed: Observed[] = [];
  readonly written: { id: number; outcome: Observed }[] = [];
  readonly received: number[] = [];
  readonly opened: Observed;
  readonly closed: Observed;
  /** Reads to the end were seen: the readable is done. */
  isDone = false;
  /** This side gave up messages by its own act: close(), abort(), cancel(), or ended its sink, which drops what comes. */
  hasDiscarded = false;
  #reader: ReadableStreamDefaultReader<string | Uint8Array> | null = null;
  #writer: WritableStreamDefaultWriter<string | BufferSource> | null = null;

  constructor(stream: WebSocketStream, name: string) {
    this.stream = stream;
    this.name = name;
    this.opened = this.observe("opened", stream.opened);
    this.closed = this.observe("closed", stream.closed);
    stream.opened.then(
      ({ readable, writable }) => {
        this.#reader = readable.getReader();
        this.#writer = writable.getWriter();
        this.#reader.closed.catch(() => {});
        this.#writer.closed.catch(() => {});
      },
      () => {},
    );
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

  /** The message's content is its number and its length, so that loss, order and damage are seen. */
  write(id: number, length: number, isText: boolean): void {
    if (this.#writer === null) return;
    const message = isText ? `${id}:${"é".repeat(length >> 1)}` : encode(id, length);
    this.written.push({ id, outcome: this.observe(`write(${id})`, this.#writer.write(message)) });
  }

  read(): Observed | null {
    if (this.#reader === null) return null;
    const reading = this.#reader.read();
    reading.then(
      ({ value, done }) => {
        if (done) this.isDone = true;
        else this.received.push(typeof value === "string" ? Number.parseInt(value, 10) : decode(value));
      },
      () => {},
    );
    return this.observe("read()", reading);
  }

  close(info: { closeCode?: number; reason?: string }): void {
    this.hasDiscarded = true;
    this.stream.close(info);
  }

  closeWriter(): void {
    if (this.#writer === null) return;
    this.hasDiscarded = true;
    this.observe("writer.close()", this.#writer.close());
  }

  abort(reason: unknown): void {
    if (this.#writer === null) return;
    this.hasDiscarded = true;
    this.observe("writer.abort()", this.#writer.abort(reason));
  }

  cancel(reason: unknown): void {
    if (this.#reader === null) return;
    this.hasDiscarded = true;
    this.observe("reader.cancel()", this.#reader.cancel(reason));
  }
}

export function encode(id: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + length).fill(id);
  new DataView(bytes.buffer).setUint32(0, id);
  return bytes;
}

/** @returns the number, or NaN if the content is damaged */
export function decode(bytes: Uint8Array): number {
  const id = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return bytes.subarray(4).every((byte) => byte === (id & 0xff)) ? id : Number.NaN;
}
