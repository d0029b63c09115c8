/**
 * One message on its way out, from `send()` to the moment when all its frames are with the system or below the send
 * limit (spec-digest 6.3, S3). Only made for a message that has to wait.
 */
export class SendTicket {
  /** Payload bytes of the message as given, before compression; 0 for a long text whose bytes nobody wanted to know. */
  readonly byteLength: number;
  /**
   * Called once: with true when the message has been handed over, with false when it never will be. Null while nobody
   * waits; such a message, once its frames are with the transport, does not make a close unclean by still being unsent.
   */
  onSettled: ((isSent: boolean) => void) | null = null;
  #isSettled = false;

  constructor(byteLength: number) {
    this.byteLength = byteLength;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  settle(isSent: boolean): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.onSettled?.(isSent);
  }
}
