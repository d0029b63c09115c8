import type { Clock } from "../connection/clock.ts";
import { CloseCode } from "../protocol/close-code.ts";

/** How a server empties itself. */
export interface DrainOptions {
  /** What each connection is closed with: 1001 going away, 1012 service restart, 1013 try again later, … @defaultValue 1001 */
  closeCode?: number | undefined;
  /** At most 123 bytes of UTF-8. @defaultValue "" */
  reason?: string | undefined;
  /** Connections still there after this time are cut off. @defaultValue 10,000 */
  deadlineMs?: number | undefined;
  /**
   * Time over which the Close frames are spread, so that the clients do not come back all at once somewhere else. Lies
   * within the deadline. @defaultValue 1,000, at most half of deadlineMs
   */
  spreadMs?: number | undefined;
}

export const DEFAULT_DRAIN_DEADLINE_MS = 10_000;
export const DEFAULT_DRAIN_SPREAD_MS = 1000;
/** What `close()` gives the closing handshakes. */
export const CLOSE_DEADLINE_MS = 1000;

/** A drain with every member set. */
export type ResolvedDrainOptions = Required<{ [Name in keyof DrainOptions]: NonNullable<DrainOptions[Name]> }>;

/** @throws {RangeError} if a time is not a number of at least 0 */
export function resolveDrainOptions(options: DrainOptions): ResolvedDrainOptions {
  const deadlineMs = requireTime("deadlineMs", options.deadlineMs ?? DEFAULT_DRAIN_DEADLINE_MS);
  const spreadMs = requireTime("spreadMs", options.spreadMs ?? Math.min(DEFAULT_DRAIN_SPREAD_MS, deadlineMs / 2));
  return {
    closeCode: options.closeCode ?? CloseCode.GOING_AWAY,
    reason: options.reason ?? "",
    deadlineMs,
    spreadMs: Math.min(spreadMs, deadlineMs),
  };
}

function requireTime(name: string, value: number): number {
  if (typeof value !== "number" || !(value >= 0)) {
    throw new RangeError(`Option ${name} must be a number of at least 0: current value is ${value}`);
  }
  return value;
}

/** Timers finer than this buy nothing. */
const TICK_MS = 10;

/**
 * Calls `visit` for each item, spread evenly over `spreadMs`: the first at once, with 0 all at once. One timer at a time,
 * however many items.
 *
 * @returns a function that ends it early
 */
export function spread<T>(items: readonly T[], spreadMs: number, clock: Clock, visit: (item: T) => void): () => void {
  const startedAt = clock.now();
  let visited = 0;
  let timer: ReturnType<Clock["setTimer"]> | null = null;
  const visitDue = (): void => {
    timer = null;
    const share = spreadMs === 0 ? 1 : (clock.now() - startedAt) / spreadMs;
    const due = Math.min(items.length, Math.floor(share * items.length) + 1);
    while (visited < due) {
      visit(items[visited++]);
    }
    if (visited < items.length) {
      timer = clock.setTimer(visitDue, Math.max(TICK_MS, spreadMs / items.length));
    }
  };
  visitDue();
  return () => {
    if (timer !== null) {
      clock.clearTimer(timer);
    }
  };
}
