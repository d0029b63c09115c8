import type { ConnectionSetup } from "./channel.ts";
import type { PayloadSpec } from "./payloads.ts";
import type { SourceEnd } from "./sources.ts";
import type { Usage } from "./usage.ts";

/** What a phase of receiving gave. */
export interface Received {
  readonly received: number;
  readonly wrong: number;
  /** From the first message to the end mark. */
  readonly elapsedMs: number;
}

/** What a phase of echoes gave; times in microseconds. */
export interface Pinged {
  readonly received: number;
  readonly wrong: number;
  readonly elapsedMs: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** What can be asked of a measured process: one line of JSON each on its standard input, one line back. */
export interface Commands {
  listen(setup: ConnectionSetup): { port: number };
  /** Opens connections, so many at a time. */
  connect(options: { url: string; setup: ConnectionSetup; count: number; concurrency: number }): undefined;
  /** Waits until that many connections were accepted. */
  accepted(count: number): undefined;
  /** Makes all channels receive, or echo, from now on. */
  receive(options: PayloadSpec & { isThroughTransform?: boolean }): undefined;
  echo(): undefined;
  /** Starts a phase of receiving. */
  expect(isThorough: boolean): undefined;
  /** Waits for the end marks; `sent` is for peers that have none. */
  received(sent: number): Received;
  /** Sends on all channels at once; with `burst` in turn, that many at a time. */
  send(options: PayloadSpec & SourceEnd & { burst?: number }): { sent: number };
  /** Sends one message to all connections again and again. */
  broadcast(options: PayloadSpec & SourceEnd): { sent: number };
  /** Prepares, then runs, echoes. */
  preparePing(options: PayloadSpec & { window: number }): undefined;
  ping(options: { milliseconds: number; isThorough: boolean }): Pinged;
  /** Opens and closes connections. */
  handshakes(options: { url: string; setup: ConnectionSetup; concurrency: number; milliseconds: number }): {
    count: number;
    elapsedMs: number;
  };
  /** Receives at this rate from now on. */
  consume(options: { bytesPerSecond: number }): undefined;
  /** What was consumed since `consume`. */
  consumed(): { bytes: number; elapsedMs: number };
  /** Receives that many messages, then no more. Fulfils then. */
  readThenStop(count: number): undefined;
  /** Bytes that client sockets of this process have read from the system; Node only. */
  bytesRead(): number;
  /** Starts counting what this process uses. */
  mark(options: { everyMs?: number; isProfiled?: boolean }): undefined;
  usage(): Usage;
  collect(): { rss: number };
  /** Keeps no accepted connection from now on: for those that come and go. */
  forget(): undefined;
}
