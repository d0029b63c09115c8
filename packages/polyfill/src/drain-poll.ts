/**
 * Asks again and again until something that has no event has happened: here, that `bufferedAmount` fell.
 *
 * Measured, 16 KiB messages: tasks alone keep a core busy while stalled (102 %), timers alone send at half the speed or
 * less; begun with tasks and slowed down step by step it is as fast as tasks, at 2.5 to 4 % while stalled.
 */
export class DrainPoll {
  readonly #check: () => boolean;
  /** Its tasks are not slowed down as nested timers are. */
  #channel: MessageChannel | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #count = 0;
  #isRunning = false;

  /** @param check does what is to be done; true ends the polling */
  constructor(check: () => boolean) {
    this.#check = check;
  }

  /** Begins, or goes on with the quick steps. */
  start(): void {
    this.#count = 0;
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#schedule();
  }

  /** For good. */
  end(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
    this.#channel?.port1.close();
  }

  #schedule(): void {
    const count = this.#count++;
    if (count > 15) this.#timer = setTimeout(this.#tick, count < 32 ? 1 : count < 64 ? 4 : 16);
    else {
      if (this.#channel === undefined) {
        this.#channel = new MessageChannel();
        this.#channel.port1.onmessage = this.#tick;
      }
      this.#channel.port2.postMessage(0);
    }
  }

  readonly #tick = (): void => {
    if (!this.#isRunning) return;
    // Whatever the check does may start the poll anew.
    this.#isRunning = false;
    if (this.#check() || this.#isRunning) return;
    this.#isRunning = true;
    this.#schedule();
  };
}
