import type { ConnectionCounters } from "../connection/connection.ts";
import type { KeepaliveVerdict } from "../connection/keepalive.ts";
import type { PlatformFallback } from "../node/platform-fallbacks.ts";
import type { BroadcastMiss } from "./broadcast.ts";

/**
 * What has happened on a server since it was made, and how it is at this moment; each number is explained in
 * docs/observability.md. Everything but the `connectionsOpen`, `handshakesPending`, `heldBytes…` and `budget…Bytes` only grows,
 * also when connections end, as a Prometheus counter has to.
 *
 * The members of {@link ConnectionCounters} are sums over all connections, those that have ended included.
 */
export interface ServerMetrics extends ConnectionCounters {
  /** Connections now, until their socket is gone. */
  readonly connectionsOpen: number;
  /** The most at once. */
  readonly connectionsPeak: number;
  /** Handshakes that succeeded. */
  readonly connectionsTotal: number;
  /** Requests that wait for their answer now. */
  readonly handshakesPending: number;
  /** Requests that were answered with something else than 101. */
  readonly handshakesRefused: number;
  /** Requests whose client went away before the answer. */
  readonly handshakesLost: number;
  /** TCP connections that were cut off unanswered, as too many sockets had sent no request yet; counts as `maxConnections`. */
  readonly socketsDropped: number;
  /** TLS handshakes that failed or took too long; only with a port of the server's own. */
  readonly tlsHandshakesFailed: number;
  /**
   * `handshakesRefused` by why: the name of a limit such as `maxConnections`, or `request` (it is no valid handshake), `path`,
   * `origin`, `hook` (a Response of yours), `error` (something of yours threw), `closing` (after `drain()` or `close()`).
   */
  readonly refusalsByReason: Readonly<Record<string, number>>;
  /** Bytes held for the readers of all connections now. */
  readonly heldBytesIn: number;
  /** Bytes held for sending on all connections now. */
  readonly heldBytesOut: number;
  /** The most that was held at once, both ways together, as the budget counts. */
  readonly heldBytesPeak: number;
  /** Round trips measured. */
  readonly rttCount: number;
  /** Their sum, in milliseconds. */
  readonly rttSumMs: number;
  /** The longest, in milliseconds. */
  readonly rttMaxMs: number;
  /** Connections that have ended. */
  readonly closesTotal: number;
  /** Those of them that did not end with a complete closing handshake and nothing lost. */
  readonly closesUnclean: number;
  /**
   * `closesTotal` by close code, as `closed` of the stream has it: 1005 for none, 1006 without a closing handshake. At most
   * {@link MAX_PEER_KEYS} different codes from 3000 up, which the peer may choose; the rest counts as `other`.
   */
  readonly closesByCode: Readonly<Record<string, number>>;
  /** `closesUnclean` by the `code` of what was the cause, e.g. `ERR_SLUICE_INVALID_UTF8` or `ECONNRESET`; `other` without one. */
  readonly errorsByCode: Readonly<Record<string, number>>;
  /** Connections ended and handshakes refused because of a limit, by its name; see docs/limits.md. */
  readonly limitsByName: Readonly<Record<string, number>>;
  /** Connections that the keepalive gave up. */
  readonly keepaliveVerdicts: Readonly<Record<KeepaliveVerdict, number>>;
  /** The option `memoryBudgetBytes`. */
  readonly budgetBytes: number;
  /** Three quarters of it. */
  readonly budgetSoftBytes: number;
  /** What is charged to it now, both ways together. */
  readonly budgetUsedBytes: number;
  /** How often the soft mark was passed upwards. */
  readonly budgetSoftHits: number;
  /** How often the hard mark was passed upwards. */
  readonly budgetHardHits: number;
  /** Connections that were given up for it. */
  readonly budgetGivenUp: number;
  /** Messages of `broadcast()` that did not reach a connection, as in its result. */
  readonly broadcastMissed: Readonly<Record<BroadcastMiss, number>>;
  /** Connections whose socket is of a kind that is read the slower way, with a buffer for each read. */
  readonly slowReads: number;
  /** 1 for each faster way that this process lacks, as its runtime is not as expected; else 0. */
  readonly fallbacks: Readonly<Record<PlatformFallback, 0 | 1>>;
}

/** Keys that a peer can choose: as many are kept, so that it cannot make a time series of each connection. */
export const MAX_PEER_KEYS = 64;
