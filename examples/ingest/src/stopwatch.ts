/** What one end of a connection is doing: its own application works, or it waits for the connection. */
export type Activity = "application" | "connection";

/** Adds up how long something has been in each of two states. */
export class Stopwatch {
  #activity: Activity;
  #sinceMs: number;
  readonly #totalMs: Record<Activity, number> = { application: 0, connection: 0 };
  readonly #now: () => number;

  /** @param activity the state to start in @param now a clock in ms that never goes back */
  constructor(activity: Activity, now: () => number = () => performance.now()) {
    this.#activity = activity;
    this.#now = now;
    this.#sinceMs = now();
  }

  /** From now on it is in this state. */
  enter(activity: Activity): void {
    const nowMs = this.#now();
    this.#totalMs[this.#activity] += nowMs - this.#sinceMs;
    this.#activity = activity;
    this.#sinceMs = nowMs;
  }

  /** Milliseconds in each state so far. */
  read(): Readonly<Record<Activity, number>> {
    this.enter(this.#activity);
    return { ...this.#totalMs };
  }
}
