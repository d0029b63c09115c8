import { createHash } from "node:crypto";
import type { WebSocketStreamOptions } from "../../packages/sluice/src/streams/options.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { randomOf } from "./random.ts";

const LENGTHS = [0, 1, 7, 60, 125, 126, 127, 500, 1_000, 2_000, 4_096];
const LARGE_LENGTHS = [65_535, 65_536, 70_000];

/**
 * An ordinary connection to an echo server, next to those that are attacked. It goes on sending and reading, two messages in
 * flight, and notes the first thing that is lost, damaged or out of its order.
 */
export class Bystander {
  readonly #stream: WebSocketStream;
  readonly #sent: string[] = [];
  #isStopping = false;
  #roundTrips = 0;
  #waiting: { count: number; resolve: () => void }[] = [];
  readonly #writing: Promise<void>;
  readonly #reading: Promise<void>;
  /** What went wrong, or null. */
  problem: unknown = null;

  static async join(url: string, seed: number, tls?: WebSocketStreamOptions["tls"]): Promise<Bystander> {
    const stream = new WebSocketStream(url, { perMessageDeflate: false, tls });
    const { readable, writable } = await stream.opened;
    return new Bystander(stream, readable, writable, seed);
  }

  private constructor(
    stream: WebSocketStream,
    readable: ReadableStream<string | Uint8Array>,
    writable: WritableStream<string | BufferSource>,
    seed: number,
  ) {
    this.#stream = stream;
    this.#writing = this.#write(writable, seed).catch((reason: unknown) => this.#fail(reason));
    this.#reading = this.#read(readable).catch((reason: unknown) => this.#fail(reason));
  }

  get roundTrips(): number {
    return this.#roundTrips;
  }

  /** Waits until so many more messages came back, or something went wrong. */
  goOn(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ count: this.#roundTrips + count, resolve });
      this.#wake();
    });
  }

  /** Ends after everything came back. @returns how it closed */
  async leave(): Promise<unknown> {
    this.#isStopping = true;
    await this.#writing;
    this.#stream.close({ closeCode: 1000 });
    await this.#reading;
    return this.#stream.closed;
  }

  async #write(writable: WritableStream<string | BufferSource>, seed: number): Promise<void> {
    const writer = writable.getWriter();
    const random = randomOf(seed);
    for (let number = 0; !this.#isStopping && this.problem === null; number++) {
      const lengths = random() < 0.02 ? LARGE_LENGTHS : LENGTHS;
      const bytes = new Uint8Array(lengths[Math.floor(random() * lengths.length)] as number);
      for (let index = 0; index < bytes.byteLength; index += 61) bytes[index] = 256 * random();
      const message = number % 3 === 0 ? `${number} ${Buffer.from(bytes).toString("base64")}` : bytes;
      this.#sent.push(checksum(message));
      await writer.write(message);
      while (this.#sent.length > 2 && this.problem === null) await this.goOn(1);
      // Busy, but not so that nobody else gets a turn.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    while (this.#sent.length > 0 && this.problem === null) await this.goOn(1);
    writer.releaseLock();
  }

  async #read(readable: ReadableStream<string | Uint8Array>): Promise<void> {
    for await (const message of readable) {
      if (checksum(message) !== this.#sent.shift()) throw new Error(`Message ${this.#roundTrips} is not what was sent`);
      this.#roundTrips++;
      this.#wake();
    }
    if (!this.#isStopping) throw new Error("The connection was closed");
  }

  #fail(reason: unknown): void {
    this.problem ??= reason;
    this.#wake();
  }

  #wake(): void {
    const isOver = (count: number): boolean => this.problem !== null || this.#roundTrips >= count;
    const due = this.#waiting.filter(({ count }) => isOver(count));
    this.#waiting = this.#waiting.filter(({ count }) => !isOver(count));
    for (const { resolve } of due) resolve();
  }
}

function checksum(message: string | Uint8Array): string {
  return `${typeof message} ${createHash("sha1").update(message).digest("base64")}`;
}
