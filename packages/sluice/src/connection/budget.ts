/**
 * A bound on the bytes that many connections hold together. Each connection says what it holds when that changes; nothing
 * is ever scanned per message.
 *
 * Above the soft mark (three quarters) every connection queues at most one message, whatever its strategy allows. Above the
 * hard mark no connection is taken, and the one that has held most for longest is given up, one at a time, until what
 * is left fits.
 */
export class Budget {
  /** Bytes that all connections together may hold. */
  readonly hardBytes: number;
  /** Where connections begin to hold less. */
  readonly softBytes: number;
  #usedBytes = 0;
  /** Connections that hold enough to be worth ending: few, as each has at least {@link LARGE_BYTES}. */
  readonly #large = new Map<BudgetMember, { bytes: number; since: number }>();
  readonly #now: () => number;
  readonly #onEvent: (event: BudgetEvent) => void;
  #peakBytes = 0;

  /**
   * @param hardBytes at least 1 MiB
   * @param now the time in milliseconds
   * @param onEvent told when a mark is passed upwards and when a member is given up
   */
  constructor(hardBytes: number, now: () => number, onEvent: (event: BudgetEvent) => void = () => {}) {
    this.hardBytes = hardBytes;
    this.#onEvent = onEvent;
    this.softBytes = Math.floor(hardBytes * 0.75);
    this.#now = now;
  }

  /** Bytes held at the moment. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The most that was held at any moment. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  get isAboveSoft(): boolean {
    return this.#usedBytes > this.softBytes;
  }

  get isAboveHard(): boolean {
    return this.#usedBytes > this.hardBytes;
  }

  /** A member now holds `bytes` where it held `before`. May give up a member, this one too. */
  charge(member: BudgetMember, before: number, bytes: number): void {
    this.#usedBytes += bytes - before;
    if (bytes >= LARGE_BYTES) {
      const entry = this.#large.get(member);
      if (entry === undefined) this.#large.set(member, { bytes, since: this.#now() });
      else entry.bytes = bytes;
    } else if (before >= LARGE_BYTES) {
      this.#large.delete(member);
    }
    if (bytes > before) this.#noteGrowth(bytes - before);
  }

  #noteGrowth(grownBytes: number): void {
    const usedBytes = this.#usedBytes;
    if (usedBytes > this.#peakBytes) this.#peakBytes = usedBytes;
    if (usedBytes <= this.softBytes) return;
    const beforeBytes = usedBytes - grownBytes;
    if (beforeBytes <= this.softBytes) this.#onEvent("soft");
    if (usedBytes <= this.hardBytes) return;
    if (beforeBytes <= this.hardBytes) this.#onEvent("hard");
    this.#giveUpOne();
  }

  #giveUpOne(): void {
    const now = this.#now();
    let most: BudgetMember | null = null;
    let weight = -1;
    for (const [member, { bytes, since }] of this.#large) {
      const candidate = bytes * (now - since + 1);
      if (candidate > weight) {
        most = member;
        weight = candidate;
      }
    }
    if (most === null) return;
    this.#large.delete(most);
    this.#onEvent("givenUp");
    most.giveUp();
  }
}

/** The soft or the hard mark was passed; a connection is given up. */
export type BudgetEvent = "soft" | "hard" | "givenUp";

/** A connection as the budget sees it. */
export interface BudgetMember {
  /** Ends the connection, and charges nothing for it any more. */
  giveUp(): void;
}

/** A connection that holds less is not worth ending. */
const LARGE_BYTES = 65_536;
