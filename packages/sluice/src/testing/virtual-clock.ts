import type { Clock, Timer } from "../connection/clock.ts";

/**
 * A clock whose time moves only when a test says so. Turns and tasks run in `run()`; between any two callbacks the real
 * microtasks are drained, so streams and promises behave as in production.
 *
 * @example
 * ```ts
 * import { VirtualClock } from "sluice/testing";
 *
 * const clock = new VirtualClock();
 * clock.setTimer(() => console.log("half a minute later"), 30_000);
 * await clock.advance(30_000);
 * ```
 */
export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #timers = new Set<VirtualTimer>();
  #ends: (() => void)[] = [];
  readonly #tasks: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer: VirtualTimer = { callback, dueAt: this.#now + Math.max(0, delayMs), order: this.#order++ };
    this.#timers.add(timer);
    return timer;
  }

  clearTimer(timer: Timer): void {
    this.#timers.delete(timer as VirtualTimer);
  }

  endOfTurn(callback: () => void): void {
    this.#ends.push(callback);
  }

  nextTask(callback: () => void): void {
    this.#tasks.push(callback);
  }

  /** Timers that are set; 0 when nothing is left behind. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Runs turns and tasks, without moving time, until there are none. @throws {Error} after 1,000,000 callbacks */
  async run(): Promise<void> {
    for (let count = 0; count < 1_000_000; count++) {
      await macrotask();
      const ends = this.#ends;
      if (ends.length > 0) {
        this.#ends = [];
        for (const end of ends) end();
      } else {
        const task = this.#tasks.shift();
        if (task === undefined) return;
        task();
      }
    }
    throw new Error("Cannot finish the run as 1000000 callbacks did not bring the connections to rest");
  }

  /** Runs, then moves time forward step by step to each timer that falls due within `durationMs`, running in between. */
  async advance(durationMs: number): Promise<void> {
    const end = this.#now + durationMs;
    await this.run();
    for (let timer = this.#takeDue(end); timer !== undefined; timer = this.#takeDue(end)) {
      this.#now = Math.max(this.#now, timer.dueAt);
      timer.callback();
      await this.run();
    }
    this.#now = end;
  }

  #takeDue(end: number): VirtualTimer | undefined {
    let first: VirtualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAt > end) continue;
      if (
        first === undefined ||
        timer.dueAt < first.dueAt ||
        (timer.dueAt === first.dueAt && timer.order < first.order)
      ) {
        first = timer;
      }
    }
    if (first !== undefined) this.#timers.delete(first);
    return first;
  }
}

interface VirtualTimer {
  readonly callback: () => void;
  readonly dueAt: number;
  readonly order: number;
}

/** A real task, so that all microtasks queued before have run. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}
