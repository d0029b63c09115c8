import type { ServerMetrics } from "../../packages/sluice/src/server.ts";
import type { Fault } from "./fault.ts";
import type { Kind } from "./plan.ts";
import type { ProcessSample } from "./process-sample.ts";
import type { SessionEnd } from "./session.ts";

/** What the run tells its processes. */
export type Order =
  | { readonly type: "start"; readonly server: ServerOrder }
  | { readonly type: "start"; readonly client: ClientOrder }
  | { readonly type: "sample"; readonly number: number }
  /** Nobody stands still at first any longer. */
  | { readonly type: "resume" }
  /** End every session with nothing lost, and begin none. */
  | { readonly type: "finish" };

export interface ServerOrder {
  readonly seed: number;
  readonly key: string;
  readonly cert: string;
}

export interface ClientOrder {
  readonly seed: number;
  /** Of the process, with its generation: what ids of its sessions begin with. */
  readonly name: string;
  readonly runMs: number;
  readonly connections: number;
  /** How many of them belong to the stalled group. */
  readonly stalledConnections: number;
  readonly stallMs: number;
  readonly urls: { readonly plain: string; readonly tls: string };
  readonly cert: string;
}

/** What they tell the run. */
export type Note =
  | { readonly type: "ready" }
  | { readonly type: "listening"; readonly urls: ClientOrder["urls"] }
  /** The first time that all connections are open. */
  | { readonly type: "ramped" }
  | { readonly type: "ended"; readonly end: SessionEnd }
  | ({ readonly type: "fault" } & Fault)
  | { readonly type: "sample"; readonly number: number; readonly sample: ProcessSample; readonly traffic: Traffic }
  /** No session is left. */
  | { readonly type: "finished" };

/** Counters of one process. */
export interface Traffic {
  /** Sessions at this moment. */
  readonly open: number;
  /** Sessions since the start, and those by what they speak. */
  readonly opened: number;
  readonly openedByKind: Readonly<Partial<Record<Kind, number>>>;
  readonly sent: number;
  readonly received: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Promises that somebody waits for. */
  readonly pending: number;
  /** The most that one connection was seen to hold, in bytes. */
  readonly heldIn: number;
  readonly heldOut: number;
  /** The most that one open connection of the stalled group has sent. */
  readonly pings: number;
  /** Both listeners', on the server. */
  readonly metrics: readonly ServerMetrics[];
}
