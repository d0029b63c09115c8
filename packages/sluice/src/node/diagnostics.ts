import { type Channel, channel } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import type { ConnectionCounters, ConnectionResult } from "../connection/connection.ts";
import type { StreamMetrics } from "../connection/connection-metrics.ts";
import type { KeepaliveVerdict } from "../connection/keepalive.ts";

/**
 * What is published through `node:diagnostics_channel`, by the name of the channel. Nothing is made, and nothing is called,
 * for a channel without subscribers. Subscribers run at once, inside the library's own work: take what you need and act later.
 *
 * @example
 * ```ts
 * import { subscribe } from "node:diagnostics_channel";
 * import type { DiagnosticsMessages } from "sluice";
 *
 * subscribe("sluice:connection:close", (message) => {
 *   const { connection, closeCode, counters } = message as DiagnosticsMessages["sluice:connection:close"];
 *   console.log(`${connection.role} ${connection.id}: ${closeCode} after ${counters.messagesReceived} messages`);
 * });
 * ```
 */
export interface DiagnosticsMessages {
  /** A handshake has succeeded. */
  "sluice:connection:open": ConnectionOpenMessage;
  /** A connection has ended, however it did. */
  "sluice:connection:close": ConnectionCloseMessage;
  /** A client could not open a connection. An attempt that was given up, by `close()` or its signal, is not told of. */
  "sluice:handshake:failed": HandshakeFailedMessage;
  /** A server has answered a handshake with something else than 101. */
  "sluice:handshake:refused": HandshakeRefusedMessage;
  /** A limit of docs/limits.md has ended a connection, or refused or failed a handshake. */
  "sluice:limit": LimitMessage;
  /** The keepalive has given a connection up. */
  "sluice:keepalive": KeepaliveMessage;
  /** A Ping was answered. */
  "sluice:keepalive:rtt": RoundTripMessage;
  /** A server's memory budget was exceeded. */
  "sluice:budget": BudgetMessage;
  /** A broadcast did not reach a server's connection. */
  "sluice:broadcast:missed": BroadcastMissedMessage;
}

/** One connection: the same object in all messages about it. */
export interface DiagnosedConnection {
  /** Unique in this process; for logs. */
  readonly id: number;
  readonly role: "client" | "server";
  /** As connected to, without user information. Its query may hold secrets of the application. */
  readonly url: string;
  /** Of the peer; `""` if unknown. */
  readonly remoteAddress: string;
  /** The `ServerWebSocketStream` of a server's connection; null for a client's. */
  readonly stream: object | null;
  /** The `WebSocketStreamServer` that it belongs to; null for a client's. */
  readonly server: object | null;
  /** What `metrics()` of its stream says at this moment: for a `WebSocket`, which has no such method, too. */
  metrics(): StreamMetrics;
}

export interface ConnectionOpenMessage {
  readonly connection: DiagnosedConnection;
  /** The selected subprotocol, `""` if none. */
  readonly protocol: string;
  /** The `Sec-WebSocket-Extensions` of the response, `""` if none. */
  readonly extensions: string;
}

export interface ConnectionCloseMessage {
  readonly connection: DiagnosedConnection;
  /** As `closed` of the stream has it: the peer's; 1005 if it gave none; 1006 without a closing handshake. */
  readonly closeCode: number;
  readonly reason: string;
  /** Both Close frames were exchanged and nothing was lost. */
  readonly isClean: boolean;
  /** Why it was not clean: what the WebSocketError of the stream has as its `cause`. Null if it was. */
  readonly error: Error | null;
  /** Of the whole connection. */
  readonly counters: ConnectionCounters;
}

export interface HandshakeFailedMessage {
  /** As connected to, without user information. Its query may hold secrets of the application. */
  readonly url: string;
  /** The error's `code`, e.g. `ERR_SLUICE_CONNECT_FAILED`. */
  readonly code: string;
  /** Of the server's response; null if none came. */
  readonly statusCode: number | null;
  /** The `cause` of the WebSocketError that the application has: a `HandshakeError`. */
  readonly error: Error;
}

export interface HandshakeRefusedMessage {
  /** The `WebSocketStreamServer`. */
  readonly server: object;
  /** Null if it never became a request that Node could parse, or nobody serves its path. */
  readonly request: IncomingMessage | null;
  readonly remoteAddress: string;
  readonly statusCode: number;
  /** See the metric `refusalsByReason`. */
  readonly reason: string;
}

export interface LimitMessage {
  /** By the name of its option, e.g. `maxMessageBytes`. */
  readonly limit: string;
  /** The error's `code`, e.g. `ERR_SLUICE_MESSAGE_TOO_BIG`. */
  readonly code: string;
  /** The connection that was ended; null if there was none: a handshake was refused, or failed. */
  readonly connection: DiagnosedConnection | null;
  /** Null for a client. */
  readonly server: object | null;
}

export interface KeepaliveMessage {
  readonly connection: DiagnosedConnection;
  /** `"dead"`: no answer to a Ping; `"stalled"`: the peer took nothing; `"paused"`: our own reader stood still. */
  readonly verdict: KeepaliveVerdict;
}

export interface RoundTripMessage {
  readonly connection: DiagnosedConnection;
  readonly rttMs: number;
}

export interface BudgetMessage {
  readonly server: object;
  /** `"soft"`, `"hard"`: this mark was passed; `"givenUp"`: a connection is closed for it. */
  readonly event: "soft" | "hard" | "givenUp";
  /** What is held at the moment. */
  readonly usedBytes: number;
  /** The option `memoryBudgetBytes`. */
  readonly hardBytes: number;
}

export interface BroadcastMissedMessage {
  readonly connection: DiagnosedConnection;
  /** As in the result of `broadcast()`. */
  readonly why: "slow" | "replaced" | "closed";
}

type ChannelName = keyof DiagnosticsMessages;

/** Held here, since Node forgets a channel that nobody refers to. */
const channels: Readonly<Record<ChannelName, Channel>> = {
  "sluice:connection:open": channel("sluice:connection:open"),
  "sluice:connection:close": channel("sluice:connection:close"),
  "sluice:handshake:failed": channel("sluice:handshake:failed"),
  "sluice:handshake:refused": channel("sluice:handshake:refused"),
  "sluice:limit": channel("sluice:limit"),
  "sluice:keepalive": channel("sluice:keepalive"),
  "sluice:keepalive:rtt": channel("sluice:keepalive:rtt"),
  "sluice:budget": channel("sluice:budget"),
  "sluice:broadcast:missed": channel("sluice:broadcast:missed"),
};

/** All names, in the order of {@link DiagnosticsMessages}. */
export const CHANNEL_NAMES: readonly ChannelName[] = Object.keys(channels) as ChannelName[];

export function hasSubscribers(name: ChannelName): boolean {
  return channels[name].hasSubscribers;
}

/** Publishes what `create` makes, which is called only if somebody listens. */
export function publish<Name extends ChannelName>(name: Name, create: () => DiagnosticsMessages[Name]): void {
  const { [name]: target } = channels;
  if (target.hasSubscribers) target.publish(create());
}

/** Publishes all that the end of a connection means. @param counters called only if somebody listens */
export function publishEnd(
  describe: () => DiagnosedConnection,
  result: ConnectionResult,
  counters: () => ConnectionCounters,
): void {
  const { closeCode, reason, isClean, cause } = result;
  const { code, limit } = getCodeAndLimit(cause);
  const verdict = getVerdict(code);
  if (limit !== null) {
    publish("sluice:limit", () => {
      const connection = describe();
      return { limit, code: code ?? "", connection, server: connection.server };
    });
  }
  if (verdict !== null) publish("sluice:keepalive", () => ({ connection: describe(), verdict }));
  publish("sluice:connection:close", () => {
    return { connection: describe(), closeCode, reason, isClean, error: cause, counters: counters() };
  });
}

/** Publishes why a client has no connection. */
export function publishFailedHandshake(url: URL, error: Error): void {
  const { code, limit } = getCodeAndLimit(error);
  const { statusCode = null } = error as { statusCode?: number | null };
  if (limit !== null) publish("sluice:limit", () => ({ limit, code: code ?? "", connection: null, server: null }));
  publish("sluice:handshake:failed", () => {
    return { url: withoutUserInformation(url), code: code ?? "", statusCode, error };
  });
}

/** A URL that may be logged, as far as we know. */
export function withoutUserInformation(url: URL): string {
  const plain = new URL(url);
  plain.username = "";
  plain.password = "";
  return plain.href;
}

let lastId = 0;

/** The next `id` of a {@link DiagnosedConnection}. */
export function nextConnectionId(): number {
  return ++lastId;
}

/** What an error says about itself, if it is one of ours or of the system. */
export function getCodeAndLimit(error: Error | null): { code: string | null; limit: string | null } {
  const { code, limit } = (error ?? {}) as { code?: unknown; limit?: unknown };
  return { code: typeof code === "string" ? code : null, limit: typeof limit === "string" ? limit : null };
}

const VERDICTS: Readonly<Record<string, KeepaliveVerdict>> = {
  ERR_SLUICE_PEER_DEAD: "dead",
  ERR_SLUICE_PEER_STALLED: "stalled",
  ERR_SLUICE_READER_PAUSED: "paused",
};

/** The verdict of the keepalive that this error code stands for; null for any other. */
export function getVerdict(code: string | null): KeepaliveVerdict | null {
  return code !== null && Object.hasOwn(VERDICTS, code) ? (VERDICTS[code] as KeepaliveVerdict) : null;
}
