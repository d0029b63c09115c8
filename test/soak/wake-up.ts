/** A pause that can be cut short. */
export class WakeUp {
  #timer: NodeJS.Timeout | null = null;
  #resolve: ((wasFull: boolean) => void) | null = null;

  /** Waits so long, or until `wake()`. One at a time. @returns whether it was not woken */
  sleep(durationMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#timer = setTimeout(() => this.#end(true), durationMs);
    });
  }

  wake(): void {
    this.#end(false);
  }

  #end(wasFull: boolean): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#resolve?.(wasFull);
    this.#resolve = null;
  }
}
