import type { Clock } from "../../packages/sluice/src/connection/clock.ts";
import type {
  Deflater,
  Inflater,
  PerMessageDeflateCodec,
} from "../../packages/sluice/src/protocol/permessage-deflate/codec.ts";
import { ProtocolError } from "../../packages/sluice/src/protocol/protocol-error.ts";

/** How the codec of an end answers, by turns: at once, or in so many tasks. */
export type CodecTiming = readonly number[];

/** Bytes that a compressed message has in front; the rest of it is the message. */
export const CODEC_HEAD_LENGTH = 3;

/**
 * A codec for permessage-deflate that compresses nothing but has all the habits of one: it answers at once or late, reads its
 * input as late as it may, gives memory that it uses again, and sometimes finds that a message does not get smaller.
 */
export class ModelCodec implements PerMessageDeflateCodec {
  readonly inflater: Inflater;
  readonly deflater: Deflater;
  /** Of the deflater and of the inflater: each is to be closed once. */
  readonly closeCounts: [number, number] = [0, 0];
  readonly problems: string[] = [];
  readonly #clock: Clock;
  readonly #timing: CodecTiming;
  #calls = 0;
  /** Shared by all calls that answer at once. */
  readonly #scratch = new Uint8Array(262_144);

  constructor(clock: Clock, timing: CodecTiming) {
    this.#clock = clock;
    this.#timing = timing;
    this.deflater = this.#createDeflater();
    this.inflater = this.#createInflater();
  }

  #createDeflater(): Deflater {
    let isBusy = false;
    const check = (): void => {
      if (isBusy || this.closeCounts[0] > 0) this.problems.push("the deflater was called while closed or busy");
    };
    return {
      heldBytes: 0,
      shouldDeflate: (byteLength) => byteLength >= 64,
      deflate: (input) => {
        check();
        const tasks = this.#nextTiming();
        const hasGain = this.#calls % 4 !== 0;
        const compute = (): Uint8Array | null => {
          if (!hasGain) return null;
          const output = new Uint8Array(CODEC_HEAD_LENGTH + input.byteLength);
          output.set(input, CODEC_HEAD_LENGTH);
          return output;
        };
        if (tasks === 0) return compute();
        isBusy = true;
        return this.#later(tasks).then(() => {
          isBusy = false;
          return compute();
        });
      },
      close: () => {
        this.closeCounts[0]++;
      },
    };
  }

  #createInflater(): Inflater {
    let isBusy = false;
    let headLeft = CODEC_HEAD_LENGTH;
    return {
      heldBytes: 0,
      inflate: (input, isFinal, maxOutputBytes) => {
        if (isBusy || this.closeCounts[1] > 0) this.problems.push("the inflater was called while closed or busy");
        const rest = input.subarray(headLeft);
        headLeft = isFinal ? CODEC_HEAD_LENGTH : headLeft - (input.byteLength - rest.byteLength);
        if (rest.byteLength > maxOutputBytes) {
          throw new ProtocolError(1009, "Too big", { section: "RFC 6455 §10.4", code: "ERR_SLUICE_MESSAGE_TOO_BIG" });
        }
        const tasks = this.#nextTiming();
        const output = tasks === 0 ? this.#scratch.subarray(0, rest.byteLength) : new Uint8Array(rest.byteLength);
        output.set(rest);
        if (tasks === 0) return output;
        isBusy = true;
        return this.#later(tasks).then(() => {
          isBusy = false;
          return output;
        });
      },
      close: () => {
        this.closeCounts[1]++;
      },
    };
  }

  #nextTiming(): number {
    return this.#timing[this.#calls++ % this.#timing.length] as number;
  }

  #later(tasks: number): Promise<void> {
    return new Promise((resolve) => {
      const count = (left: number): void => this.#clock.nextTask(() => (left <= 1 ? resolve() : count(left - 1)));
      count(tasks);
    });
  }
}
