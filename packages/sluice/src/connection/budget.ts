/**
 * A bound on the bytes that many connections hold together. Each connection says what it holds when that changes; what all
 * hold is never scanned.
 *
 * Above the soft mark (three quarters) every connection queues at most one message, whatever its strategy allows. Above the
 * hard mark no connection is taken, and those that have held most for longest are given up, until what is left fits. Time counts
 * from when a connection last gave back a quarter of what it held: one whose messages come and go is young, however long
 * it has been busy, and one that sits on what it has is not.
 */
export class Budget {
  /** Bytes that all connections together may hold. */
  readonly hardBytes: number;
  /** Where connections begin to hold less. */
  readonly softBytes: number;
  #usedBytes = 0;
  /** Those that hold enough to be worth ending. */
  readonly #holders = new Map<BudgetMember, Holding>();
  /** Goes round and round over them, a few at a time. */
  #round: Iterator<[BudgetMember, Holding]> | null = null;
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

  /** A member now holds `bytes` where it held `before`. May give up members, this one too. */
  charge(member: BudgetMember, before: number, bytes: number): void {
    this.#usedBytes += bytes - before;
    if (bytes >= WORTHWHILE_BYTES) this.#note(member, bytes);
    else if (before >= WORTHWHILE_BYTES) this.#holders.delete(member);
    if (bytes > before) this.#noteGrowth(bytes - before);
  }

  #note(member: BudgetMember, bytes: number): void {
    const holding = this.#holders.get(member);
    if (holding === undefined) {
      this.#holders.set(member, { bytes, peakBytes: bytes, since: this.#now() });
      return;
    }
    holding.bytes = bytes;
    if (bytes > holding.peakBytes) {
      holding.peakBytes = bytes;
    } else if (bytes <= holding.peakBytes * 0.75) {
      holding.peakBytes = bytes;
      holding.since = this.#now();
    }
  }

  #noteGrowth(grownBytes: number): void {
    const usedBytes = this.#usedBytes;
    if (usedBytes > this.#peakBytes) this.#peakBytes = usedBytes;
    if (usedBytes <= this.softBytes) return;
    const beforeBytes = usedBytes - grownBytes;
    if (beforeBytes <= this.softBytes) this.#onEvent("soft");
    if (usedBytes <= this.hardBytes) return;
    if (beforeBytes <= this.hardBytes) this.#onEvent("hard");
    this.#giveUpUntilItFits();
  }

  #giveUpUntilItFits(): void {
    for (let usedBytes = Number.POSITIVE_INFINITY; this.isAboveHard && this.#usedBytes < usedBytes; ) {
      usedBytes = this.#usedBytes;
      const member = this.#findWorst();
      if (member === null) return;
      this.#holders.delete(member);
      this.#onEvent("givenUp");
      member.giveUp();
    }
  }

  /** The worst of the next few, of all if there are no more: who holds much for long stands out wherever one looks. */
  #findWorst(): BudgetMember | null {
    const now = this.#now();
    const count = Math.min(this.#holders.size, LOOKS);
    let worst: BudgetMember | null = null;
    let most = -1;
    for (let look = 0; look < count; look++) {
      const [member, { bytes, since }] = this.#nextHolder();
      const weight = bytes * (Math.min(now - since, LONG_MS) + 1);
      if (weight > most) {
        worst = member;
        most = weight;
      }
    }
    return worst;
  }

  /** There must be one. */
  #nextHolder(): [BudgetMember, Holding] {
    for (;;) {
      this.#round ??= this.#holders.entries();
      const { done, value } = this.#round.next();
      if (done !== true) return value;
      this.#round = null;
    }
  }
}

/** The soft or the hard mark was passed; a connection is given up. */
export type BudgetEvent = "soft" | "hard" | "givenUp";

/** A connection as the budget sees it. */
export interface BudgetMember {
  /** Ends the connection, and charges nothing for it any more. */
  giveUp(): void;
}

interface Holding {
  bytes: number;
  /** The most since `since`. */
  peakBytes: number;
  /** When it began to hold so much, or last gave back a quarter. */
  since: number;
}

/** A connection that holds less is not worth ending: it takes more memory itself, which `maxConnections` bounds. */
const WORTHWHILE_BYTES = 4_096;

/** So many are looked at to give up one. */
const LOOKS = 64;

/** Nobody holds for longer than this: an hour with little is no worse than a minute with it. */
const LONG_MS = 60_000;
