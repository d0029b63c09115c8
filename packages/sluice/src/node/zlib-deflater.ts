import { constants } from "node:zlib";
import type { DeflateFilter, Deflater } from "../protocol/permessage-deflate/codec.ts";
import type { ZlibContext } from "./zlib-context.ts";
import { type ZlibContextPool, zlibContextPool } from "./zlib-context-pool.ts";
import { zlibFailure } from "./zlib-failure.ts";
import { handled, jobSlots } from "./zlib-job-slots.ts";
import { scratch, ZlibOutput } from "./zlib-output.ts";

/** RFC 7692 §7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end." */
const TAIL_BYTES = 4;

/** Input that one job in the threads takes before another connection gets its turn: some milliseconds. */
const JOB_BYTES = 262_144;

/** A large message whose first job gains less than this is not worth the rest. */
const MIN_GAIN = 0.02;

/** Set up for our own direction (RFC 7692 §7.1). */
export interface DeflaterSettings {
  /** Our window, 8 to 15. */
  readonly windowBits: number;
  readonly hasContextTakeover: boolean;
  readonly level: number;
  readonly memLevel: number;
  /** Smallest message to compress. */
  readonly thresholdBytes: number;
  /** A message above this size is deflated in zlib's threads. */
  readonly asyncAboveBytes: number;
  /** False: only the public API of `node:zlib`. */
  readonly isHandleAllowed: boolean;
  readonly filter: DeflateFilter | undefined;
}

/** Raw deflate for one direction of one connection. */
export class ZlibDeflater implements Deflater {
  readonly #settings: DeflaterSettings;
  readonly #pool: ZlibContextPool;
  /** Ours while its `owner` is this. A compressor whose context was taken may start afresh at any message. */
  #context: ZlibContext | null = null;
  #isBusy = false;
  #isClosed = false;

  constructor(settings: DeflaterSettings) {
    const { windowBits, level, memLevel, isHandleAllowed } = settings;
    this.#settings = settings;
    this.#pool = zlibContextPool({ mode: "deflate", windowBits, level, memLevel, isHandleAllowed });
  }

  get filter(): DeflateFilter | undefined {
    return this.#settings.filter;
  }

  get heldBytes(): number {
    const context = this.#context;
    return context !== null && context.owner === this ? context.byteLength : 0;
  }

  shouldDeflate(byteLength: number): boolean {
    // Differs from RFC 7692 §7.1.2: zlib cannot keep to a window of 8 bits, it silently uses 9 (D-30).
    return this.#settings.windowBits > 8 && byteLength >= this.#settings.thresholdBytes;
  }

  deflate(input: Uint8Array): Uint8Array | null | Promise<Uint8Array | null> {
    if (this.#isClosed || this.#isBusy) throw new Error("Cannot deflate as the deflater is closed or busy");
    // RFC 7692 §7.2.3.6: an empty message is one empty block. zlib flushes no second block behind the one it just wrote.
    if (input.length === 0) return new Uint8Array(1);
    try {
      this.#context = this.#pool.acquire(this, this.#context);
      if (!this.#context.canWriteSync || input.length > this.#settings.asyncAboveBytes)
        return handled(this.#deflateLater(input));
      const isSmaller = this.#run(this.#context, input);
      this.#giveBack();
      return isSmaller ? syncOutput.take(TAIL_BYTES) : null;
    } catch (error) {
      throw this.#fail(error);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const context = this.#context;
    this.#context = null;
    if (context === null || context.owner !== this) return;
    if (this.#isBusy) this.#pool.discard(context);
    else this.#pool.free(context);
  }

  /** @returns false, with the output incomplete, as soon as it is not smaller than the input */
  #run(context: ZlibContext, input: Uint8Array): boolean {
    const output = syncOutput;
    output.begin(this.#limit(input));
    let position = 0;
    do {
      const room = output.room;
      context.writeSync(constants.Z_SYNC_FLUSH, input, position, input.length - position, scratch, output.start, room);
      position = input.length - context.inputLeft;
      if (!output.advance(room - context.outputLeft)) return false;
    } while (context.outputLeft === 0);
    return true;
  }

  async #deflateLater(input: Uint8Array): Promise<Uint8Array | null> {
    this.#isBusy = true;
    try {
      const output = new ZlibOutput();
      const limit = this.#limit(input);
      output.begin(limit);
      let isSmaller = true;
      for (let start = 0; start < input.length && isSmaller; start += JOB_BYTES) {
        const end = Math.min(input.length, start + JOB_BYTES);
        await this.#job(input.subarray(start, end), output);
        isSmaller = output.length <= (end < input.length ? Math.min(limit, end * (1 - MIN_GAIN)) : limit);
        isSmaller ||= this.#settings.hasContextTakeover;
      }
      this.#giveBack();
      return isSmaller ? output.take(TAIL_BYTES) : null;
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#isBusy = false;
    }
  }

  async #job(input: Uint8Array, output: ZlibOutput): Promise<void> {
    await jobSlots.acquire();
    try {
      const context = this.#context;
      if (context === null) throw new Error("its connection is closed");
      await context.write(input, (bytes) => output.add(bytes));
    } finally {
      jobSlots.release();
    }
  }

  /** With the tail, and one byte less than the message. With takeover there is none: the context has moved on. */
  #limit(input: Uint8Array): number {
    return this.#settings.hasContextTakeover ? Number.POSITIVE_INFINITY : input.length - 1 + TAIL_BYTES;
  }

  #giveBack(): void {
    const context = this.#context;
    if (context === null) throw new Error("its connection is closed");
    if (this.#settings.hasContextTakeover) {
      this.#pool.release(context);
    } else {
      this.#context = null;
      this.#pool.free(context);
    }
  }

  #fail(error: unknown): Error {
    const context = this.#context;
    this.#context = null;
    this.#isClosed = true;
    if (context !== null && context.owner === this) this.#pool.discard(context);
    return zlibFailure(error);
  }
}

/** For the calls that are done at once: empty between turns. */
const syncOutput = new ZlibOutput();
