/** Time and turns as the engine sees them: real, or virtual in tests. */
export interface Clock {
  /** Milliseconds from an arbitrary origin; never goes back. */
  now(): number;
  /** Calls `callback` once after `delayMs`. A timer of a clock never keeps the process alive by itself. */
  setTimer(callback: () => void, delayMs: number): Timer;
  clearTimer(timer: Timer): void;
  /** Calls `callback` at the end of the running turn, after the microtasks that are queued now. */
  endOfTurn(callback: () => void): void;
  /** Calls `callback` in a task of its own, after input and timers that are due have had their chance. */
  nextTask(callback: () => void): void;
}

/** What {@link Clock.setTimer} returns; opaque. */
export type Timer = object | number;

/** One deadline that can be moved cheaply: the timer is only set again when it fires too early. */
export class Deadline {
  readonly #clock: Clock;
  #timer: Timer | null = null;
  #onExpired: (() => void) | null = null;
  #delayMs = 0;
  #expiresAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Replaces whatever was set. */
  set(delayMs: number, onExpired: () => void): void {
    this.clear();
    this.#delayMs = delayMs;
    this.#onExpired = onExpired;
    this.restart();
    this.#setTimer(delayMs);
  }

  /** Begins the delay anew, if one is set. */
  restart(): void {
    this.#expiresAt = this.#clock.now() + this.#delayMs;
  }

  clear(): void {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  #setTimer(delayMs: number): void {
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = null;
      const remainingMs = this.#expiresAt - this.#clock.now();
      if (remainingMs > 0) this.#setTimer(remainingMs);
      else this.#onExpired?.();
    }, delayMs);
  }
}
