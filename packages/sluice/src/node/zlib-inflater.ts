import { constants } from "node:zlib";
import type { Inflater } from "../protocol/permessage-deflate/codec.ts";
import type { ZlibContext } from "./zlib-context.ts";
import { type ZlibContextPool, zlibContextPool } from "./zlib-context-pool.ts";
import { corruptDataError, inflateFailure, tooBigError } from "./zlib-failure.ts";
import { History } from "./zlib-history.ts";
import { handled, jobSlots } from "./zlib-job-slots.ts";
import { scratch, ZlibOutput } from "./zlib-output.ts";

/*
 * Theory of operation. LZ77 refers back at most one window, so between messages 32 KiB of output are all that a context
 * is. With context takeover an inflater keeps those (History) and borrows a context of zlib for each message; if it gets
 * another one than the last time, the history is put in first as a block without compression, in 1.5 µs. The same puts a
 * fresh context behind a final block (RFC 7692 §7.2.3.4). Without takeover nothing at all is kept between messages.
 *
 * A slice is inflated at once up to a bounded amount of work; what is above goes on in zlib's threads.
 */

/** RFC 7692 §7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message." */
const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

/**
 * The tail and one byte more. Read with Z_BLOCK, zlib stops at the end of the empty block that the tail completes and
 * leaves that byte; a message that was cut off inside a block swallows it, or stops before.
 */
const BLOCK_END = Uint8Array.of(...TAIL, 0x00);

/** Empty block behind the tail, for streams that cannot stop at a block: puts out nothing unless a block was cut off. */
const EMPTY_BLOCK = Uint8Array.of(0x00, ...TAIL);

/** Work of one turn, in units: 256 KiB of output (0.1 to 0.4 ms), or 32 final blocks. */
const TURN_UNITS = 32;
const UNITS_PER_STEP = 8;

/** Input that one job in the threads takes before another connection gets its turn: at most 32 MiB of output. */
const JOB_BYTES = 32_768;

/** Set up for the sender's direction (RFC 7692 §7.1). */
export interface InflaterSettings {
  /** The sender's window, 8 to 15. */
  readonly windowBits: number;
  readonly hasContextTakeover: boolean;
  /** A slice above this size goes to zlib's threads from its first byte. */
  readonly asyncAboveBytes: number;
  /** False: only the public API of `node:zlib`. */
  readonly isHandleAllowed: boolean;
}

/** What is left of a slice after a turn: nothing. */
const DONE = -1;

/** Raw inflate for one direction of one connection. */
export class ZlibInflater implements Inflater {
  readonly #settings: InflaterSettings;
  readonly #pool: ZlibContextPool;
  /** Ours while its `owner` is this; pinned while a message is open. */
  #context: ZlibContext | null = null;
  #history: History | null = null;
  /** The context is new and was not yet given the history, as that needs a thread. */
  #needsHistory = false;
  /** Why the last turn stopped: much output goes to a thread, many final blocks wait for the next turn. */
  #isOutputLarge = false;
  #isMessageOpen = false;
  #hasInput = false;
  #isBusy = false;
  #isClosed = false;

  constructor(settings: InflaterSettings) {
    this.#settings = settings;
    this.#pool = zlibContextPool({ mode: "inflate", isHandleAllowed: settings.isHandleAllowed });
  }

  get heldBytes(): number {
    const context = this.#context;
    return (this.#history?.heldBytes ?? 0) + (context !== null && context.owner === this ? context.byteLength : 0);
  }

  inflate(input: Uint8Array, isFinal: boolean, maxOutputBytes: number): Uint8Array | Promise<Uint8Array> {
    if (this.#isClosed || this.#isBusy) throw new Error("Cannot inflate as the inflater is closed or busy");
    this.#hasInput ||= input.length > 0;
    // A message without any payload is not what RFC 7692 §7.2.3.6 tells a sender to send for an empty one, but it is what
    // a naive sender gets from a sync flush without data.
    if (!this.#hasInput) return new Uint8Array(0);
    const output = syncOutput;
    output.begin(maxOutputBytes);
    try {
      if (!this.#isMessageOpen) this.#openMessage();
      if (!this.#live().canWriteSync || input.length > this.#settings.asyncAboveBytes) {
        this.#isOutputLarge = true;
        return handled(this.#inflateLater(new Uint8Array(input), isFinal, output.detach()));
      }
      const position = this.#run(input, 0, output);
      if (position !== DONE) {
        return handled(this.#inflateLater(new Uint8Array(input.subarray(position)), isFinal, output.detach()));
      }
      if (isFinal) this.#finish(output);
      this.#endSlice(isFinal, output);
      return output.view();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#history = null;
    const context = this.#context;
    this.#context = null;
    if (context === null || context.owner !== this) return;
    if (this.#isBusy) this.#pool.discard(context);
    else this.#pool.free(context);
  }

  #openMessage(): void {
    const last = this.#context;
    const remembers = last !== null && last.owner === this;
    this.#context = this.#pool.acquire(this, last);
    this.#isMessageOpen = true;
    if (!remembers) this.#putHistory();
  }

  /** Inflates until the slice is read, or the turn's work is done. @returns where it stopped, or DONE */
  #run(input: Uint8Array, start: number, output: ZlibOutput): number {
    let position = start;
    let units = TURN_UNITS;
    while (units > 0) {
      const context = this.#live();
      const room = output.room;
      context.writeSync(Z_SYNC_FLUSH, input, position, input.length - position, scratch, output.start, room);
      const { inputLeft, outputLeft } = context;
      position = input.length - inputLeft;
      if (!output.advance(room - outputLeft)) throw tooBigError();
      this.#isOutputLarge = outputLeft === 0;
      if (this.#isOutputLarge) {
        units -= UNITS_PER_STEP;
      } else if (inputLeft > 0) {
        this.#restart(output);
        units--;
      } else {
        return DONE;
      }
    }
    return position;
  }

  /** Reads the tail of the message, and checks that it ended where a block does. */
  #finish(output: ZlibOutput): void {
    const context = this.#live();
    const room = output.room;
    context.writeSync(Z_BLOCK, BLOCK_END, 0, BLOCK_END.length, scratch, output.start, room);
    const { inputLeft, outputLeft } = context;
    // All of it is left: a final block ended the message, without the empty block behind it that §7.2.3.4 shows.
    const isEnded = inputLeft === BLOCK_END.length;
    if (outputLeft !== room || (inputLeft !== 1 && !isEnded)) throw corruptDataError("its data is cut off");
    if (isEnded) this.#dropContext();
  }

  #endSlice(isFinal: boolean, output: ZlibOutput): void {
    const { hasContextTakeover } = this.#settings;
    if (hasContextTakeover || !isFinal) output.rememberIn(this.#ensureHistory());
    if (!isFinal) return;
    this.#isMessageOpen = false;
    this.#hasInput = false;
    const context = this.#context;
    if (!hasContextTakeover) {
      this.#history = null;
      this.#dropContext();
    } else if (context !== null) {
      this.#pool.release(context);
    }
  }

  /** RFC 7692 §7.2.3.4: behind a final block a fresh context goes on, with the window of the old one. */
  #restart(output: ZlibOutput): void {
    output.rememberIn(this.#ensureHistory());
    const context = this.#live();
    if (context.hasEnded) {
      this.#pool.discard(context);
      this.#context = this.#pool.acquire(this, null);
    } else {
      context.reset();
    }
    this.#putHistory();
  }

  #putHistory(): void {
    const history = this.#history;
    if (history === null || history.length === 0) return;
    const context = this.#live();
    this.#needsHistory = !context.canWriteSync;
    if (this.#needsHistory) return;
    const block = history.writeStoredBlock(storedBlock);
    context.writeSync(Z_SYNC_FLUSH, block, 0, block.length, discarded, 0, discarded.length);
  }

  /** @param input a copy: the caller's memory is the socket's next read buffer */
  async #inflateLater(input: Uint8Array, isFinal: boolean, output: ZlibOutput): Promise<Uint8Array> {
    this.#isBusy = true;
    try {
      let position = 0;
      while (position !== DONE) {
        if (this.#isOutputLarge || !this.#live().canWriteSync) {
          position = await this.#runInThread(input, position, output);
        } else {
          await nextTurn();
          position = this.#run(input, position, output);
          output.spill();
        }
      }
      if (isFinal && this.#live().canWriteSync) this.#finish(output);
      else if (isFinal) await this.#finishInThread(output);
      this.#endSlice(isFinal, output);
      return output.take(0);
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#isBusy = false;
    }
  }

  async #runInThread(input: Uint8Array, start: number, output: ZlibOutput): Promise<number> {
    const end = Math.min(input.length, start + JOB_BYTES);
    const inputLeft = await this.#job(input.subarray(start, end), output);
    if (inputLeft > 0) {
      this.#restart(output);
      this.#isOutputLarge = false;
      return end - inputLeft;
    }
    return end === input.length ? DONE : end;
  }

  async #finishInThread(output: ZlibOutput): Promise<void> {
    const { length } = output;
    let inputLeft = await this.#job(TAIL, output);
    if (inputLeft === TAIL.length) {
      this.#dropContext();
      return;
    }
    const isCut = inputLeft > 0;
    if (!isCut) inputLeft = await this.#job(EMPTY_BLOCK, output);
    const isEnded = inputLeft === EMPTY_BLOCK.length;
    if (isCut || output.length !== length || (inputLeft > 0 && !isEnded)) throw corruptDataError("its data is cut off");
    if (isEnded) this.#dropContext();
  }

  /** One write in zlib's threads, in its turn. @returns the input that a final block left over */
  async #job(input: Uint8Array, output: ZlibOutput): Promise<number> {
    await jobSlots.acquire();
    let isTooBig = false;
    try {
      const context = this.#live();
      if (this.#needsHistory) {
        this.#needsHistory = false;
        const block = (this.#history as History).writeStoredBlock(new Uint8Array(storedBlock.length));
        await context.write(block, () => {});
      }
      return await context.write(input, (bytes) => {
        isTooBig = !output.add(bytes);
        if (isTooBig) context.close();
      });
    } catch (error) {
      throw isTooBig ? tooBigError() : error;
    } finally {
      jobSlots.release();
    }
  }

  #ensureHistory(): History {
    this.#history ??= new History(this.#settings.windowBits);
    return this.#history;
  }

  #live(): ZlibContext {
    if (this.#context === null) throw new Error("its connection is closed");
    return this.#context;
  }

  /** Gives the context back: the next message starts with another one. */
  #dropContext(): void {
    const context = this.#context;
    this.#context = null;
    if (context !== null) this.#pool.free(context);
  }

  #fail(error: unknown): Error {
    const context = this.#context;
    this.#context = null;
    this.#history = null;
    this.#isClosed = true;
    if (context !== null && context.owner === this) this.#pool.discard(context);
    return inflateFailure(error);
  }
}

const { Z_BLOCK, Z_SYNC_FLUSH } = constants;

/** For the calls that are done at once: empty between turns. */
const syncOutput = new ZlibOutput();

/** Input and output of the call that gives a context its history. */
const storedBlock = new Uint8Array(5 + 32_768);
const discarded = new Uint8Array(32_768 + 1);

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
