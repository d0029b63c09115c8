import { zlibSettings } from "./zlib-settings.ts";

/**
 * Lets a bounded number of jobs into zlib's threads; the others wait, first come, first served. Long work asks again after
 * each piece, so that no connection waits for more than one piece of each of the others.
 */
export class JobSlots {
  readonly #limit: () => number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  /** @param limit how many may run now, at least 1 */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** Jobs inside. */
  get taken(): number {
    return this.#taken;
  }

  /** Fulfils when the job may run. Each is followed by one {@link release}. */
  async acquire(): Promise<void> {
    if (this.#taken < this.#limit()) this.#taken++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  release(): void {
    this.#taken--;
    while (this.#waiting.length > 0 && this.#taken < this.#limit()) {
      this.#taken++;
      this.#waiting.shift()?.();
    }
  }
}

/** The process's one set of slots (RFC 7692 §8, E30). */
export const jobSlots: JobSlots = new JobSlots(() => zlibSettings.maxJobs);

/** Keeps a job that fails after its connection lost interest from being reported as an unhandled rejection. */
export function handled<T>(job: Promise<T>): Promise<T> {
  job.catch(() => {
    // Whoever waits for the job is told by the promise itself.
  });
  return job;
}
