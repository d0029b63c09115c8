/** A pause that can be cut short. */
export class WakeUp {
  #timer: NodeJS.Timeout | null = null;
  #wake: (() => void) | null = null;

  /** Waits so long, or until `wake()`. One at a time. */
  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#timer = setTimeout(() => this.wake(), durationMs);
    });
  }

  wake(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#wake?.();
    this.#wake = null;
  }
}
