import type http from "node:http";
import type tls from "node:tls";
import type { ConnectionOptions } from "../connection/connection.ts";
import { Connection } from "../connection/connection.ts";
import { HandshakeError } from "../protocol/handshake/handshake-error.ts";
import type { PerMessageDeflateOptions } from "../protocol/permessage-deflate/negotiate.ts";
import { createOffer } from "../protocol/permessage-deflate/negotiate.ts";
import { isBadPort } from "./bad-port.ts";
import { ClientWatcher } from "./client-watcher.ts";
import { publishFailedHandshake } from "./diagnostics.ts";
import { DuplexTransport } from "./duplex-transport.ts";
import type { Upgraded } from "./http1-upgrade.ts";
import { Http1Upgrade } from "./http1-upgrade.ts";
import { fillRandom } from "./random.ts";
import { realClock } from "./real-clock.ts";
import { createRequestHeaders } from "./request-headers.ts";
import { utf8Codec } from "./utf8-codec.ts";
import { createPerMessageDeflateCodec } from "./zlib-codec.ts";

export { addAbortListener } from "./abort-listener.ts";
export { realClock } from "./real-clock.ts";

/** What of the engine a caller may set; the rest is this runtime's. */
export type ConnectionSettings = Omit<
  ConnectionOptions,
  "role" | "clock" | "fillRandom" | "utf8" | "deflate" | "watcher"
>;

/** Where to connect, what to offer, and how. */
export interface ConnectOptions {
  /** ws: or wss:, without a fragment. User information becomes Basic authorization unless `headers` has its own. */
  readonly url: URL;
  /** Subprotocols in order of preference: valid tokens without repetition. */
  readonly protocols: readonly string[];
  readonly connection: ConnectionSettings;
  /** Further request fields. */
  readonly headers?: HeadersInit | undefined;
  /** `Origin`; wins over one in `headers`. @defaultValue none: H08 */
  readonly origin?: string | undefined;
  /** For `tls.connect`. @defaultValue the server name follows from the URL, certificates are verified */
  readonly tls?: tls.ConnectionOptions | undefined;
  /** An `http.Agent`, or `https.Agent` for wss:, that makes the connection. @defaultValue a connection of its own */
  readonly agent?: object | false | undefined;
  /** @defaultValue true: D-33 */
  readonly perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
  /** Milliseconds from the call to the validated response, 1 to 2^31-1. @defaultValue no limit */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Whether the ports that Fetch blocks may be connected to. @defaultValue false: D-28 */
  readonly allowBadPorts?: boolean | undefined;
}

/** How it ended: exactly one of them is called, never from inside `connect`. */
export interface ConnectObserver {
  /** The connection has not been started; `head` is what came behind the response and goes to its `start()`. */
  onEstablished(
    connection: Connection,
    info: { protocol: string; extensions: string; head: Uint8Array<ArrayBuffer> },
  ): void;
  /** A {@link HandshakeError}, but for faults of our own. */
  onFailed(error: Error): void;
}

export interface ConnectHandle {
  /** Ends the attempt: everything is destroyed and no call to the observer follows. Does nothing once it was told. */
  abort(): void;
}

/**
 * Opens a WebSocket connection as a client: TCP or TLS, then the opening handshake over HTTP/1.1.
 *
 * @throws {TypeError} if `headers` or `origin` has an invalid field, or one that belongs to the handshake (H09)
 * @throws {RangeError} if `handshakeTimeoutMs` or a number of `perMessageDeflate` is out of its range
 */
export function connect(options: ConnectOptions, observer: ConnectObserver): ConnectHandle {
  const { url, protocols } = options;
  const timeoutMs = checkTimeout(options.handshakeTimeoutMs);
  const deflate = toDeflateOptions(options);
  const offer = { protocols, extensions: deflate === null ? "" : createOffer(deflate), key: createKey() };
  const headers = createRequestHeaders({ url, offer, origin: options.origin, headers: options.headers });

  const onFailed = (error: Error): void => {
    publishFailedHandshake(url, error);
    observer.onFailed(error);
  };
  if (isBadPort(portOf(url)) && options.allowBadPorts !== true) {
    const immediate = setImmediate(() => onFailed(createBadPortError(url)));
    return { abort: () => clearImmediate(immediate) };
  }
  return new Http1Upgrade(
    {
      url,
      offer,
      headers,
      tls: options.tls ?? {},
      agent: options.agent ? (options.agent as http.Agent) : null,
      timeoutMs,
    },
    {
      onUpgraded: (upgraded) => establish(upgraded, options, observer),
      onFailed,
    },
  );
}

function establish(upgraded: Upgraded, options: ConnectOptions, observer: ConnectObserver): void {
  const { socket, protocol, extensions, head, deflate } = upgraded;
  const watcher = ClientWatcher.create(options.url);
  let connection: Connection;
  try {
    connection = new Connection(new DuplexTransport(socket), {
      ...options.connection,
      role: "client",
      clock: realClock,
      fillRandom,
      utf8: utf8Codec,
      watcher: watcher ?? undefined,
      deflate: deflate && createPerMessageDeflateCodec("client", deflate, toDeflateOptions(options) ?? {}),
    });
  } catch (error) {
    socket.destroy();
    observer.onFailed(error as Error);
    return;
  }
  watcher?.onOpen(connection, { protocol, extensions });
  observer.onEstablished(connection, { protocol, extensions, head });
}

/** D-33: offered unless the caller says otherwise. */
function toDeflateOptions({ perMessageDeflate }: ConnectOptions): PerMessageDeflateOptions | null {
  if (perMessageDeflate === undefined || perMessageDeflate === true) return {};
  return perMessageDeflate === false ? null : perMessageDeflate;
}

/** Random bytes for keys to come: asking for 16 takes as long as asking for thousands. */
const keyBytes = Buffer.alloc(1024);
let keyOffset = keyBytes.byteLength;

/** RFC 6455 §4.1 (7): "a nonce consisting of a randomly selected 16-byte value that has been base64-encoded". */
function createKey(): string {
  if (keyOffset === keyBytes.byteLength) {
    fillRandom(keyBytes);
    keyOffset = 0;
  }
  keyOffset += 16;
  return keyBytes.toString("base64", keyOffset - 16, keyOffset);
}

function portOf(url: URL): number {
  if (url.port === "") return url.protocol === "wss:" ? 443 : 80;
  return Number(url.port);
}

function createBadPortError(url: URL): HandshakeError {
  return new HandshakeError(
    `Cannot open WebSocket as port ${portOf(url)} is blocked: use another port, or the option allowBadPorts`,
    { code: "ERR_SLUICE_BAD_PORT", section: "Fetch §2.9" },
  );
}

function checkTimeout(timeoutMs: number | undefined): number | null {
  if (timeoutMs === undefined) return null;
  if (!(timeoutMs >= 1 && timeoutMs < 2 ** 31)) {
    throw new RangeError(`Cannot use handshakeTimeoutMs as it must be from 1 to 2^31-1: current value is ${timeoutMs}`);
  }
  return timeoutMs;
}
