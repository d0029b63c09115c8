/** How long to wait before the first worker in a row is replaced. */
export const FIRST_PAUSE_MS = 100;
/** The pause doubles up to this. */
export const LONGEST_PAUSE_MS = 10_000;
/** A worker that lived so long was well: its successor starts with the first pause again. */
export const STABLE_MS = 10_000;

/** How long to wait before a worker is replaced: a fault that ends each one at once must not become a busy loop. */
export class RestartPause {
  #nextMs = FIRST_PAUSE_MS;

  /** @param livedMs how long the worker lived that has just died */
  next(livedMs: number): number {
    const pauseMs = livedMs >= STABLE_MS ? FIRST_PAUSE_MS : this.#nextMs;
    this.#nextMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    return pauseMs;
  }
}
