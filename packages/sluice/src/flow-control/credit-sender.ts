import { INITIAL_CREDIT, MAX_CREDIT, PIECE_OVERHEAD } from "./flow-limits.ts";

/**
 * Counts what this side may send.
 *
 * A data message may go whenever the balance is above zero, whatever its size; its cost is taken afterwards. The balance
 * can therefore fall below zero by one message, which is what bounds the peer's memory to its window and one piece, and
 * it is why no sender can be stuck with a credit that is too small for the next message.
 */
export class CreditSender {
  /** Credit left; zero or less means wait. */
  balance: number = INITIAL_CREDIT;
  /** Since the last credit data has had to wait: true, the peer is to be told; false, it was told; null: it has not. */
  #isWaiting: boolean | null = null;

  /** Whether one more data message may go. Remembers a refusal, so that the peer can be told once. */
  mayStart(): boolean {
    if (this.balance > 0) return true;
    this.#isWaiting ??= true;
    return false;
  }

  /** Takes the cost of a data message of `byteLength` payload bytes. */
  charge(byteLength: number): void {
    this.balance -= byteLength + PIECE_OVERHEAD;
  }

  /** @returns false if the peer granted more than the protocol allows */
  addCredit(amount: number): boolean {
    this.balance += amount;
    if (this.balance > 0) this.#isWaiting = null;
    return this.balance <= MAX_CREDIT;
  }

  /** True once for each time that the credit ran out while data was there. */
  takeWaiting(): boolean {
    const isWaiting = this.#isWaiting === true;
    if (isWaiting) this.#isWaiting = false;
    return isWaiting;
  }
}
