import {
  DEFAULT_MAX_WINDOW_BYTES,
  DEFAULT_WINDOW_BYTES,
  GROWTH_IDLE_MS,
  INITIAL_CREDIT,
  MAX_CREDIT,
  PIECE_OVERHEAD,
} from "./flow-limits.ts";

export interface CreditWindowOptions {
  /**
   * Bytes that the peer may send ahead of the reader, 65,536 to 2^31 - 1.
   *
   * @defaultValue 1 MiB; take 256 KiB on a server with very many connections
   */
  windowBytes?: number | undefined;
  /**
   * What the window may grow to where bandwidth times delay asks for it. Equal to `windowBytes`: it never grows.
   *
   * @defaultValue 4 MiB, or `windowBytes` if that is more
   */
  maxWindowBytes?: number | undefined;
}

/**
 * Counts what the peer may send, and decides when to grant more.
 *
 * Three places add up to the window at every moment: what the peer may still send (`balance`), what arrived and is not
 * released yet, and what was released and not granted yet (`owed`).
 */
export class CreditReceiver {
  #windowBytes: number;
  readonly #maxWindowBytes: number;
  #balance: number = INITIAL_CREDIT;
  #owed: number;
  #waitingSince: number | null = null;
  /** The first grant lifts the initial credit to the window, however small the step is. */
  #isFirstGrantDue: boolean;

  /** @throws {RangeError} if a window is out of range */
  constructor(options: CreditWindowOptions = {}) {
    const windowBytes = options.windowBytes ?? DEFAULT_WINDOW_BYTES;
    const maxWindowBytes = options.maxWindowBytes ?? Math.max(windowBytes, DEFAULT_MAX_WINDOW_BYTES);
    if (!(windowBytes >= INITIAL_CREDIT && windowBytes <= MAX_CREDIT && Number.isInteger(windowBytes)))
      throw new RangeError(`Cannot use window as it must be an integer from 65536 to 2147483647: ${windowBytes}`);
    if (!(maxWindowBytes >= windowBytes && maxWindowBytes <= MAX_CREDIT && Number.isInteger(maxWindowBytes)))
      throw new RangeError(
        `Cannot use window as its cap must be an integer from ${windowBytes} to 2147483647: ${maxWindowBytes}`,
      );
    this.#windowBytes = windowBytes;
    this.#maxWindowBytes = maxWindowBytes;
    this.#owed = windowBytes - INITIAL_CREDIT;
    this.#isFirstGrantDue = this.#owed > 0;
  }

  /** The window as it is now, grown or not. */
  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** What the peer may still send, by our count; it knows of less while a grant is under way. */
  get balance(): number {
    return this.#balance;
  }

  /**
   * Charges a data message that arrived.
   *
   * @param byteLength its payload on the wire
   * @param now milliseconds, any origin
   * @returns false if the peer had no credit left
   */
  charge(byteLength: number, now: number): boolean {
    if (this.#balance <= 0) return false;
    this.#balance -= byteLength + PIECE_OVERHEAD;
    if (this.#waitingSince !== null) {
      if (now - this.#waitingSince >= GROWTH_IDLE_MS) this.#grow();
      this.#waitingSince = null;
    }
    return true;
  }

  /** What was charged, `cost` of it, is no longer held for a reader who has not come. */
  release(cost: number): void {
    this.#owed += cost;
  }

  /**
   * The peer said that it has data and no credit.
   *
   * @param isIdle whether the reader took all that came: only then is the window what holds the peer back
   */
  peerIsWaiting(isIdle: boolean, now: number): void {
    this.#waitingSince = isIdle ? now : null;
  }

  /** The amount to grant now, or 0. A quarter of the window at a time, so that grants are few and the peer never runs dry for one. */
  takeGrant(): number {
    const amount = this.#owed;
    if (amount === 0 || (amount < this.#windowBytes / 4 && !this.#isFirstGrantDue)) return 0;
    this.#isFirstGrantDue = false;
    this.#owed = 0;
    this.#balance += amount;
    return amount;
  }

  #grow(): void {
    const grown = Math.min(this.#windowBytes * 2, this.#maxWindowBytes);
    this.#owed += grown - this.#windowBytes;
    this.#windowBytes = grown;
  }
}
