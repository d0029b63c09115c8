import os from "node:os";

/** The numbers of {@link DEFAULT_SERVER_LIMITS}. */
export interface ServerLimits {
  connectionsHighWaterMark: number;
  maxConnections: number;
  maxPendingHandshakes: number;
  maxConnectionsPerAddress: number;
  handshakeTimeoutMs: number;
  maxHeaderBytes: number;
  maxHeaderCount: number;
  maxRefusalBodyBytes: number;
}

/** What a server allows unless told otherwise. Each is an option of the same name. */
export const DEFAULT_SERVER_LIMITS: Readonly<ServerLimits> = {
  /** Unread streams in `connections`. A handful hides the time between two reads; more would only be latency. */
  connectionsHighWaterMark: 16,
  /** A descriptor and some kilobytes each: more than common descriptor limits allow, so those show first. */
  maxConnections: 65_536,
  /** Handshakes begun and not answered. Each holds a socket and a parsed head of at most 16 KiB: 16 MiB in all. */
  maxPendingHandshakes: 1024,
  /** Off: behind a proxy all connections come from one address, so a number here would be a trap. */
  maxConnectionsPerAddress: Number.POSITIVE_INFINITY,
  /** From the connection to the answer. Enough for a slow mobile network, short enough to starve slow-header attacks. */
  handshakeTimeoutMs: 10_000,
  /** Node's own default; a handshake is about 500 bytes, cookies and tokens the rest. */
  maxHeaderBytes: 16 * 1024,
  /** Fields of a request. A browser sends 15, proxies add some; more than this is what other servers refuse too. */
  maxHeaderCount: 100,
  /** Longest body of a refusal that is sent; the rest is cut. An error page fits, a download does not. */
  maxRefusalBodyBytes: 64 * 1024,
};

/** What a refused client is told to wait, in seconds, when the refusal is about load (RFC 9110 §10.2.3). */
export const RETRY_AFTER_SECONDS = 5;

/** How long a refused client may take to read its answer and end the connection, before it is cut off. */
export const REFUSAL_LINGER_MS = 2000;

/** Refused sockets that may linger at once; more are cut off as soon as their answer is with the kernel. */
export const MAX_LINGERING_REFUSALS = 256;

/** A quarter of the memory that this process may use: the rest is the application's, and the system's for its sockets. */
export function getDefaultMemoryBudget(): number {
  const constrained = process.constrainedMemory();
  const total = os.totalmem();
  // Without a limit the number is 0, or beyond all memory.
  const available = constrained > 0 && constrained < total ? constrained : total;
  return Math.max(16 * 1024 * 1024, Math.floor(available / 4));
}
