import type { Pressure } from "./pressure.ts";
import type { Check } from "./proof.ts";
import type { Stock } from "./read-back.ts";

/** What is going on. */
export type Phase = "starting" | "streaming" | "stalled" | "draining" | "checking";

/** One side, all its connections together. */
export interface SideSnapshot {
  readonly connections: number;
  /** Held by the library for all connections, now. */
  readonly heldBytes: number;
  /** The most ever held for one connection. */
  readonly peakHeldBytes: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  /** What the connections' time went into since the start: milliseconds, the mean of all. */
  readonly pressureMs: Pressure;
  /** What it went into just now: shares of 1. */
  readonly recentPressure: Pressure;
}

/** Everything that a display shows, at one moment. */
export interface Snapshot {
  readonly elapsedMs: number;
  readonly phase: Phase;
  readonly stallLeftMs: number;
  readonly isStopping: boolean;
  readonly recordsTotal: number;
  readonly recordsSent: number;
  /** In the database, committed. Without a server here: acknowledged. */
  readonly recordsStored: number;
  /** Stored per second, over about the last second. */
  readonly recordsPerSecond: number;
  readonly fleet: SideSnapshot | null;
  readonly server: SideSnapshot | null;
  /** Bytes that left the fleet's process and did not reach the server's: in the kernel and on the wire. */
  readonly onTheWayBytes: number | null;
}

/** How it ended. */
export interface Outcome {
  readonly elapsedMs: number;
  readonly wasStopped: boolean;
  readonly databasePath: string | null;
  readonly stock: Stock | null;
  readonly checks: readonly Check[];
  readonly final: Snapshot;
}

/** Where the run is shown. */
export interface Display {
  /** About to begin. @param what one line about what is going to happen */
  start(what: string): void;
  /** Several times a second. */
  update(snapshot: Snapshot): void;
  /** Something worth a line of its own. */
  note(text: string): void;
  /** The end. */
  finish(outcome: Outcome): void;
  /** Leaves the terminal as it was, if the end did not come. */
  abandon(): void;
}
