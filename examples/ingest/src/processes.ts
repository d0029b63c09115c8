// What the three processes say to each other: the one that you start, the server with the database, and the fleet.
import type { Spent } from "./pressure.ts";

/** How the server is to be run. */
export interface ServerSettings {
  readonly host: string;
  /** 0: any free one */
  readonly port: number;
  readonly databasePath: string;
  /** Records per second that the database takes. */
  readonly sinkRate: number;
  /** The database stops for so long … */
  readonly stallMs: number;
  /** … when it has so many records. */
  readonly stallAfterRecords: number;
}

/** How the fleet is to be run. */
export interface FleetSettings {
  readonly url: string;
  readonly clients: number;
  readonly records: number;
  readonly batchRecords: number;
  /** Records per second that all clients together have to tell, null for as fast as they can. */
  readonly rate: number | null;
  readonly seed: number;
}

/** One end of one connection. */
export interface ConnectionStatus {
  /** The client's number, from 0. */
  readonly client: number;
  readonly records: number;
  /** Bytes on the wire, framing included: sent by the fleet, received by the server. */
  readonly wireBytes: number;
  /** User-space memory of the library for it now, and the most there ever was. */
  readonly heldBytes: number;
  readonly peakHeldBytes: number;
  readonly spent: Spent;
  readonly isDone: boolean;
}

/** A process, several times a second. */
export interface ProcessStatus {
  readonly rssBytes: number;
  /** The most that the system ever saw, between two statuses too. */
  readonly peakRssBytes: number;
  readonly connections: readonly ConnectionStatus[];
}

/** The server's, with its database. */
export interface ServerStatus extends ProcessStatus {
  readonly committedRecords: number;
  /** How long the database is going to stand still, 0 if it does not. */
  readonly stallLeftMs: number;
}

/** What one client sent, and what the server answered that it has stored. */
export interface ClientResult {
  readonly client: number;
  readonly sentRecords: number;
  readonly sentChecksum: string;
  readonly storedRecords: number;
  readonly storedChecksum: string;
}

/** To the server: drain stops the database from being slow; finish closes everything. */
export type ServerCommand = { type: "start"; settings: ServerSettings } | { type: "drain" } | { type: "finish" };
/** To the fleet: stop ends every client's data where it is. */
export type FleetCommand = { type: "start"; settings: FleetSettings } | { type: "stop" };

/** From either of them. */
export type Report<Status extends ProcessStatus = ProcessStatus> =
  | { type: "listening"; url: string }
  | { type: "status"; status: Status }
  | { type: "problem"; text: string }
  | { type: "result"; clients: readonly ClientResult[] }
  | { type: "finished"; status: Status }
  | { type: "failed"; message: string; advice: string };

/** Interval of `status`. */
export const STATUS_INTERVAL_MS = 100;
