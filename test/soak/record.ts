import type { Fault } from "./fault.ts";
import type { Traffic } from "./orders.ts";
import type { ProcessSample } from "./process-sample.ts";

/** One look at one process. */
export interface Measurement {
  /** Since the traffic began. */
  readonly atMs: number;
  readonly sample: ProcessSample;
  readonly traffic: Traffic;
}

/** A process whose measurements are judged. */
export interface WatchedProcess {
  readonly title: string;
  readonly measurements: Measurement[];
}

/** All that a run has seen. */
export interface RunRecord {
  readonly server: WatchedProcess;
  /** The client process that is never killed. */
  readonly client: WatchedProcess;
  /** Of the server, before the first connection and behind the last. */
  atRestBefore: Measurement | null;
  atRestAfter: Measurement | null;
  readonly faults: Fault[];
  /** Milliseconds of traffic, and those after which measurements count. */
  ranMs: number;
  warmUpMs: number;
  /** As planned. */
  readonly runMs: number;
  readonly stallMs: number;
  readonly stalledConnections: number;
  /** Client processes that were killed and begun anew. */
  kills: number;
}
