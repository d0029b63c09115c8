/** Something that has to settle, and does not. */
export interface OverdueOperation {
  readonly name: string;
  readonly ageMs: number;
}

interface Operation {
  readonly name: string;
  readonly startedMs: number;
  readonly limitMs: number;
}

/** Every promise of the library that somebody waits for, with the time after which it never will settle. No timer each. */
export class Operations {
  readonly #pending = new Set<Operation>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Passes a promise on, and counts it until it settles. @param limitMs far beyond what is documented */
  async track<Value>(name: string, promise: Promise<Value>, limitMs: number): Promise<Value> {
    const operation = { name, startedMs: this.#now(), limitMs };
    this.#pending.add(operation);
    try {
      return await promise;
    } finally {
      this.#pending.delete(operation);
    }
  }

  /** Takes out what is over its limit, so that each is told once. @param limitMs for all of them; each its own if left out */
  takeOverdue(limitMs?: number): OverdueOperation[] {
    const now = this.#now();
    const overdue: OverdueOperation[] = [];
    for (const operation of this.#pending) {
      const ageMs = now - operation.startedMs;
      if (ageMs < (limitMs ?? operation.limitMs)) continue;
      this.#pending.delete(operation);
      overdue.push({ name: operation.name, ageMs: Math.round(ageMs) });
    }
    return overdue;
  }
}
