import type { Source } from "./channel.ts";
import type { Message } from "./payloads.ts";

/** When a source ends. */
export interface SourceEnd {
  /** After this time; the clock is looked at every 32 messages. */
  readonly milliseconds?: number | undefined;
  /** After this many messages. */
  readonly limit?: number | undefined;
  /** Stops sooner once this many bytes were given, so that a peer without a brake does not fill the machine. */
  readonly maxBytes?: number | undefined;
}

/** Gives payloads in turn until the end, then one empty message as the end mark. */
export class PayloadSource implements Source {
  readonly #payloads: readonly Message[];
  readonly #deadlineMs: number;
  readonly #limit: number;
  #index = 0;
  #hasEnded = false;
  /** How many payloads were given, without the mark. */
  sent = 0;

  /** @param payloads from `createPayloads`; each source starts with the first */
  constructor(payloads: readonly Message[], payloadBytes: number, end: SourceEnd) {
    this.#payloads = payloads;
    this.#deadlineMs = performance.now() + (end.milliseconds ?? Number.POSITIVE_INFINITY);
    const most = Math.floor((end.maxBytes ?? Number.POSITIVE_INFINITY) / payloadBytes);
    this.#limit = Math.min(end.limit ?? Number.POSITIVE_INFINITY, most);
  }

  /** Whether everything was given, the mark too. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  next(): Message | undefined {
    const { sent } = this;
    if (sent >= this.#limit || ((sent & 31) === 0 && performance.now() >= this.#deadlineMs)) {
      if (this.#hasEnded) return undefined;
      this.#hasEnded = true;
      return typeof this.#payloads[0] === "string" ? "" : new Uint8Array(0);
    }
    this.sent = sent + 1;
    const index = this.#index;
    this.#index = index + 1 === this.#payloads.length ? 0 : index + 1;
    return this.#payloads[index];
  }
}
