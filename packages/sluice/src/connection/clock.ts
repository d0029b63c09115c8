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
