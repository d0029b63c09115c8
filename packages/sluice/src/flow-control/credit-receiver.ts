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
  /** The window as it is now, grown or not. */
  windowBytes: number;
  /** What the peer may still send, by our count; it knows of less while a grant is under way. */
  balance: number = INITIAL_CREDIT;
  readonly #maxWindowBytes: number;
  readonly #growthIdleMs: number;
  #owed: number;
  /** What must be owed to be granted: a quarter of the window, so that grants are few and the peer never runs dry for one. */
  #thresholdBytes: number;
  #waitingSince: number | null = null;

  /**
   * @param options `growthIdleMs`: the window grows if the peer had to wait for so long while we waited for data
   * @throws {RangeError} if a window is out of range
   */
  constructor(options: CreditWindowOptions & { growthIdleMs?: number | undefined } = {}) {
    const windowBytes = options.windowBytes ?? DEFAULT_WINDOW_BYTES;
    const maxWindowBytes = options.maxWindowBytes ?? Math.max(windowBytes, DEFAULT_MAX_WINDOW_BYTES);
    checkWindow("windowBytes", windowBytes, INITIAL_CREDIT);
    checkWindow("maxWindowBytes", maxWindowBytes, windowBytes);
    this.windowBytes = windowBytes;
    this.#maxWindowBytes = maxWindowBytes;
    this.#growthIdleMs = options.growthIdleMs ?? GROWTH_IDLE_MS;
    this.#owed = windowBytes - INITIAL_CREDIT;
    // The first grant lifts the initial credit to the window, however small the step is.
    this.#thresholdBytes = this.#owed > 0 ? 1 : windowBytes / 4;
  }

  /**
   * Charges a data message that arrived.
   *
   * @param byteLength its payload on the wire
   * @param now milliseconds, any origin
   * @returns false if the peer had no credit left
   */
  charge(byteLength: number, now: number): boolean {
    if (this.balance <= 0) return false;
    this.balance -= byteLength + PIECE_OVERHEAD;
    if (this.#waitingSince !== null) {
      if (now - this.#waitingSince >= this.#growthIdleMs) this.#grow();
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

  /** The amount to grant now, or 0. */
  takeGrant(): number {
    const amount = this.#owed;
    if (amount < this.#thresholdBytes) return 0;
    this.#thresholdBytes = this.windowBytes / 4;
    this.#owed = 0;
    this.balance += amount;
    return amount;
  }

  #grow(): void {
    const grown = Math.min(this.windowBytes * 2, this.#maxWindowBytes);
    this.#owed += grown - this.windowBytes;
    this.windowBytes = grown;
  }
}

function checkWindow(name: string, size: number, minimum: number): void {
  if (Number.isInteger(size) && size >= minimum && size <= MAX_CREDIT) return;
  throw new RangeError(
    `Cannot use ${name} as it must be an integer from ${minimum} to ${MAX_CREDIT}: current value is ${size}`,
  );
}
