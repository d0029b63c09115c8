import {
  DEFAULT_MAX_MESSAGE_BYTES,
  DEFAULT_MAX_PIECES,
  DEFAULT_WINDOW_BYTES,
} from "../../sluice/src/flow-control/flow-limits.ts";
import { checkNumber } from "../../sluice/src/streams/options.ts";

/** What `new WebSocketStream(url, options)` takes in a page, beside the standard's `protocols` and `signal`. */
export interface PageOptions {
  /** Whether to offer credit flow control: false, true (and do without if the server does not know it), or only with it. */
  credit?: boolean | "require" | undefined;
  /** Bytes that the peer may be ahead of the reader: the credit window, or what is read ahead of the native class. */
  windowBytes?: number | undefined;
  /** What a credit window may grow to. */
  maxWindowBytes?: number | undefined;
  /** Without backpressure: bytes that may wait for the reader. */
  receiveBufferLimitBytes?: number | undefined;
  /** Without backpressure: what happens above that limit. */
  overflow?: "error" | "drop-oldest" | undefined;
  /** With credit: `writer.close()` ends only our half; the connection closes when the peer has ended its own. */
  allowHalfOpen?: boolean | undefined;
  /** With credit: how a silent server is found to be dead, or false. */
  keepAlive?: { intervalMs: number; timeoutMs: number } | false | undefined;
  /** false: the browser's own WebSocketStream is not used. */
  native?: boolean | undefined;
  sendLimitBytes?: number | undefined;
  maxMessageBytes?: number | undefined;
  maxFragments?: number | undefined;
  closeTimeoutMs?: number | undefined;
  handshakeTimeoutMs?: number | undefined;
}

/** The defaults of a page. */
export interface PageSettings extends Required<Omit<PageOptions, "maxWindowBytes" | "handshakeTimeoutMs">> {
  readonly maxWindowBytes: number | undefined;
  readonly handshakeTimeoutMs: number | undefined;
}

const NODE_ONLY = ["headers", "origin", "tls", "agent"] as const;

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} for an option that a page cannot honour: it would be dropped in silence otherwise
 * @throws {RangeError} for a number out of its range
 */
export function toPageSettings(options: PageOptions): PageSettings {
  for (const name of NODE_ONLY) {
    if ((options as Record<string, unknown>)[name] !== undefined)
      throw new TypeError(`Cannot use ${name} as browsers do not let a page set it`);
  }
  return {
    credit: options.credit ?? false,
    windowBytes: checkNumber(options.windowBytes, "windowBytes", 1) ?? DEFAULT_WINDOW_BYTES,
    maxWindowBytes: checkNumber(options.maxWindowBytes, "maxWindowBytes", 1),
    // Enough for a burst, little enough for a phone.
    receiveBufferLimitBytes:
      options.receiveBufferLimitBytes === Number.POSITIVE_INFINITY
        ? Number.POSITIVE_INFINITY
        : (checkNumber(options.receiveBufferLimitBytes, "receiveBufferLimitBytes", 0) ?? 16_777_216),
    overflow: options.overflow ?? "error",
    allowHalfOpen: options.allowHalfOpen ?? false,
    keepAlive: options.keepAlive ?? { intervalMs: 20_000, timeoutMs: 20_000 },
    native: options.native ?? true,
    // Four times that of Node: there is no event to wait for, so there must be something to send until the next look.
    sendLimitBytes: options.sendLimitBytes ?? 262_144,
    maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
    maxFragments: options.maxFragments ?? DEFAULT_MAX_PIECES,
    closeTimeoutMs: options.closeTimeoutMs ?? 30_000,
    handshakeTimeoutMs: checkNumber(options.handshakeTimeoutMs, "handshakeTimeoutMs", 1),
  };
}
