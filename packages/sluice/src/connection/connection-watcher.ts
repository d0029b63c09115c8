import type { ConnectionResult } from "./connection.ts";

/**
 * Told about what seldom happens to a connection, for metrics and diagnostics: never about a message. Whatever it does must not
 * reach back into the connection.
 */
export interface ConnectionWatcher {
  /** A Ping of ours was answered. */
  onRoundTrip(rttMs: number): void;
  /** Once: the connection has ended, its observer knows, and its counters are final. */
  onEnded(result: ConnectionResult): void;
  /** Once: the transport is gone. The connection's observer may hear of its end later, when it has read what came before. */
  onTransportClosed(): void;
}
