import type { Server as HttpServer, IncomingMessage } from "node:http";
import type { ServerOptions as HttpsOptions, Server as HttpsServer } from "node:https";
import { type PerMessageDeflateOptions, validateDeflateOptions } from "../protocol/permessage-deflate/negotiate.ts";
import { type ConnectionLimits, toConnectionLimits } from "../streams/options.ts";
import type { CreditOption } from "./credit.ts";
import type { OriginPolicy } from "./origin.ts";
import type { ServerWebSocketStream } from "./server-websocket-stream.ts";

/** What can be set for all connections of a server, and again for one by the `upgrade` hook. */
export interface ConnectionSettings extends ConnectionLimits {
  /** Compression, if the client offers it (RFC 7692). Costs about 300 KiB per connection that uses it. @defaultValue false */
  perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
  /**
   * Flow control for clients that offer it, as pages with `@sluice/polyfill` do (docs/flow-control.md). An object sets the
   * windows. `protocols` and `upgrade` see the application's subprotocols only. @defaultValue true
   */
  credit?: CreditOption | undefined;
}

/** What the `upgrade` hook may choose for the connection that it accepts. */
export interface AcceptOptions extends ConnectionSettings {
  /** One of the offered subprotocols, or `""` for none. Takes the place of the option `protocols`. */
  protocol?: string | undefined;
  /** Further fields of the 101 response, e.g. cookies. Those of the handshake itself cannot be set. */
  headers?: HeadersInit | undefined;
}

/** A value or a promise for it. */
export type MaybePromise<T> = T | PromiseLike<T>;

/** Everything a server can be told, apart from where it listens. */
export interface UpgradeOptions extends ConnectionSettings {
  /**
   * Decides about a well-formed request. A returned `Response` refuses and is sent as it is; an object accepts with these
   * options; nothing accepts. A throw is answered with 500 without detail and goes to `onError`.
   *
   * `signal` is aborted when the client goes away, or the handshake times out, in the meantime.
   */
  upgrade?: (
    request: IncomingMessage,
    context: { readonly signal: AbortSignal },
    // biome-ignore lint/suspicious/noConfusingVoidType: a hook that returns nothing accepts
  ) => MaybePromise<Response | AcceptOptions | undefined | void>;
  /**
   * Subprotocols in the order of the server's preference, or a function that picks one of those offered. If none fits the
   * connection opens without (RFC 6455 §4.2.2), which browsers take as a failure. @defaultValue none
   */
  protocols?: readonly string[] | ((offered: readonly string[], request: IncomingMessage) => string | undefined);
  /** Which web pages may connect; others get 403. @defaultValue "same-host" */
  origins?: OriginPolicy | undefined;
  /**
   * Told about what nobody else is told: what a handler, the `upgrade` hook, `protocols` or `origins` threw, and errors of
   * the listening socket. `stream` is the connection concerned, if there is one already.
   *
   * @defaultValue a process warning, except for what a handler rejects with because its own connection ended
   */
  onError?: ((error: unknown, stream: ServerWebSocketStream | null) => void) | undefined;
  /** How many streams `connections` holds for its reader before accepting stops. @defaultValue 16 */
  connectionsHighWaterMark?: number | undefined;
  /** Connections open at once; above it 503. @defaultValue 65,536 */
  maxConnections?: number | undefined;
  /** Requests that wait for the hook or for a reader of `connections`; above it 503. @defaultValue 1,024 */
  maxPendingHandshakes?: number | undefined;
  /** Connections and handshakes of one address (IPv6: one /64); above it 429. @defaultValue no limit, since a proxy is one address */
  maxConnectionsPerAddress?: number | undefined;
  /** Time for the request head, and then again for the hook and the wait for a reader; above it 408, then 503. @defaultValue 10,000 */
  handshakeTimeoutMs?: number | undefined;
  /** Header fields of a request; above it 431. @defaultValue 100 */
  maxHeaderCount?: number | undefined;
  /**
   * Bytes that all connections of this server may hold together, from 1 MiB. From three quarters of it each connection queues
   * one message at most; above it new handshakes get 503, and the connection that held most for longest is closed with 1013.
   * @defaultValue a quarter of the memory that the process may use
   */
  memoryBudgetBytes?: number | undefined;
}

/** A server with a port of its own. Plain HTTP requests to it are answered with 426. */
export interface OwnPortOptions extends UpgradeOptions {
  /** 0 takes a free one; see `listening`. */
  port: number;
  /** Name or address of the interface. @defaultValue all */
  host?: string | undefined;
  /** The only path to serve, e.g. "/socket"; others get 404. @defaultValue every path */
  path?: string | undefined;
  /** Makes it a `wss:` server; takes what `https.createServer` takes. */
  tls?: HttpsOptions | undefined;
  /** Largest request head; above it 431. @defaultValue 16 KiB */
  maxHeaderBytes?: number | undefined;
  server?: undefined;
  noServer?: undefined;
}

/** A server on an HTTP server of yours, which stays yours: it is neither started nor closed. */
export interface ExistingServerOptions extends UpgradeOptions {
  server: HttpServer | HttpsServer;
  /** The only path to serve. Give one whenever the server has other `upgrade` listeners. @defaultValue every path */
  path?: string | undefined;
  port?: undefined;
  noServer?: undefined;
}

/** A server that gets its requests through `handleUpgrade()` only. */
export interface NoServerOptions extends UpgradeOptions {
  noServer: true;
  path?: undefined;
  port?: undefined;
  server?: undefined;
}

/** What `WebSocketStreamServer` and `serve` take. */
export type ServerOptions = OwnPortOptions | ExistingServerOptions | NoServerOptions;

/** @throws {TypeError | RangeError} if an option cannot be meant */
export function validateServerOptions(options: ServerOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("Server options must be an object");
  }
  const forms = [options.port !== undefined, options.server !== undefined, options.noServer === true];
  if (forms.filter(Boolean).length !== 1) {
    throw new TypeError("Server options must have exactly one of port, server and noServer: true");
  }
  if (options.path !== undefined && !/^\/[^?#]*$/.test(options.path)) {
    throw new TypeError(`Option path must start with "/" and have no query: current value is ${options.path}`);
  }
  requireCount("connectionsHighWaterMark", options.connectionsHighWaterMark, 0);
  requireCount("maxConnections", options.maxConnections, 1);
  requireCount("memoryBudgetBytes", options.memoryBudgetBytes, 1_048_576);
  requireCount("maxPendingHandshakes", options.maxPendingHandshakes, 1);
  requireCount("maxConnectionsPerAddress", options.maxConnectionsPerAddress, 1);
  requireCount("handshakeTimeoutMs", options.handshakeTimeoutMs, 1);
  // A request that can be answered with 101 has five fields, in about 150 bytes.
  requireCount("maxHeaderCount", options.maxHeaderCount, 5);
  if (options.port !== undefined) requireInteger("maxHeaderBytes", options.maxHeaderBytes, 128);
  requireFunction("upgrade", options.upgrade);
  requireFunction("onError", options.onError);
  validateDeflateOptions(options.perMessageDeflate ?? false);
  toConnectionLimits(options);
}

function requireCount(name: string, value: number | undefined, minimum: number): void {
  if (value === undefined || (typeof value === "number" && value >= minimum)) {
    return;
  }
  throw new RangeError(`Option ${name} must be a number of at least ${minimum}: current value is ${String(value)}`);
}

function requireInteger(name: string, value: number | undefined, minimum: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= minimum)) return;
  throw new RangeError(`Option ${name} must be an integer of at least ${minimum}: current value is ${String(value)}`);
}

function requireFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function") {
    throw new TypeError(`Option ${name} must be a function`);
  }
}
