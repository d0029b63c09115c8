import { setMaxListeners } from "node:events";
import { setTimeout as wait } from "node:timers/promises";

/** What was let through too late is made up for if it is not older than this: timers and busy machines come late. */
const CATCH_UP_MS = 200;

/**
 * Lets records through at a steady rate, in the order of the calls, and can hold them all back for a while. Stands for a
 * database that is busy with something else (on the server) and for devices that have only so much to tell (in the fleet).
 */
export class Pace {
  readonly #recordsPerSecond: number;
  #nextAtMs: number = performance.now();
  #opened: AbortController = new AbortController();

  /** @param recordsPerSecond Infinity for no limit */
  constructor(recordsPerSecond: number) {
    this.#recordsPerSecond = recordsPerSecond;
    // One for each client that waits: many, and not a leak.
    setMaxListeners(0, this.#opened.signal);
  }

  /** How long whoever comes now has to wait, in ms. */
  get waitMs(): number {
    return this.#opened.signal.aborted ? 0 : Math.max(0, this.#nextAtMs - performance.now());
  }

  /** Fulfils when this many records may pass. */
  async take(records: number): Promise<void> {
    const nowMs = performance.now();
    const waitMs = this.waitMs;
    this.#nextAtMs = Math.max(this.#nextAtMs, nowMs - CATCH_UP_MS) + (records / this.#recordsPerSecond) * 1000;
    // A timer is not exact enough for less, and what was let through early is taken off the next.
    if (waitMs < 2) return;
    try {
      await wait(waitMs, undefined, { signal: this.#opened.signal });
    } catch (error) {
      if (!this.#opened.signal.aborted) throw error;
    }
  }

  /** Nothing passes for this long, what waits already excepted. */
  stopFor(durationMs: number): void {
    this.#nextAtMs = Math.max(this.#nextAtMs, performance.now()) + durationMs;
  }

  /** Lets everything through from now on, what waits included. */
  open(): void {
    this.#opened.abort();
  }
}
