// Who makes whom wait. Each end of a connection knows only whether its own application is at work or waits for the connection.
// Side by side, the two tell more: a sender that waits while the receiver's application is busy waits for its peer; one
// that waits while the receiver waits as well, waits for what is between them.
import type { Activity } from "./stopwatch.ts";

/** Milliseconds, or shares of time, that an end of a connection spent on its own work, waiting for the peer, for the network. */
export interface Pressure {
  readonly application: number;
  readonly peer: number;
  readonly network: number;
}

/** Time spent in a window by one end. */
export type Spent = Readonly<Record<Activity, number>>;

/** No time at all. */
export const NO_PRESSURE: Pressure = { application: 0, peer: 0, network: 0 };

/** What one end's time went into, given what the other end did in the same window. */
export function toPressure(own: Spent, other: Spent): Pressure {
  const peer = Math.min(own.connection, other.application);
  return { application: own.application, peer, network: own.connection - peer };
}

/** The sum of two. */
export function addPressure(a: Pressure, b: Pressure): Pressure {
  return { application: a.application + b.application, peer: a.peer + b.peer, network: a.network + b.network };
}

/** What was spent between two readings of a stopwatch. */
export function since(before: Spent, now: Spent): Spent {
  return {
    application: Math.max(0, now.application - before.application),
    connection: Math.max(0, now.connection - before.connection),
  };
}
