import type { ConnectionOptions } from "../connection/connection.ts";
import type { KeepaliveOptions } from "../connection/keepalive.ts";
import type { PerMessageDeflateOptions } from "../protocol/permessage-deflate/negotiate.ts";
import { toDictionary, toUSVStringSequence } from "./idl-conversions.ts";
import type { WritableMessage } from "./message-sink.ts";
import type { ReadableMessage } from "./message-source.ts";

/** The limits and strategies that a connection takes, on the client and on the server. */
export interface ConnectionLimits {
  /**
   * How much `readable` queues before demand ends. @defaultValue one message, as the standard's default.
   * `MessageByteLengthStrategy` counts bytes.
   */
  readableStrategy?: QueuingStrategy<ReadableMessage> | undefined;
  /** How much `writable` queues before `ready` pends. @defaultValue one message, as the standard's default */
  writableStrategy?: QueuingStrategy<WritableMessage> | undefined;
  /**
   * Unsent bytes up to which a `write()` counts as done: 0 means that the system has taken everything.
   * @defaultValue 65,536: enough to keep the socket busy, little enough to tell the truth
   */
  sendLimitBytes?: number | undefined;
  /** Largest message accepted, in bytes after inflating; a larger one closes with 1009. @defaultValue 104,857,600 */
  maxMessageBytes?: number | undefined;
  /** Most fragments of one message, empty ones included; more close with 1008. @defaultValue 131,072 */
  maxFragments?: number | undefined;
  /**
   * Most bytes that one byte of a compressed message may become, from 1, at any point of the message; more closes with 1008.
   * Messages that inflate to 256 KiB or less are not judged. @defaultValue Infinity: blank images and runs of zeros come
   * close to DEFLATE's own 1,032 to 1, and `maxMessageBytes` bounds what is inflated
   */
  maxInflateRatio?: number | undefined;
  /**
   * "own": each binary chunk is a Uint8Array with a buffer of its own, of exactly its length. "pooled": chunks of at most
   * 2 KiB may be views on a buffer of at most 16 KiB that they share with other chunks of the same connection, and with no
   * other bytes. That is faster for many small messages (Node). Such a chunk must not be transferred (`postMessage`, a byte
   * stream), and one that is kept keeps its neighbours too. @defaultValue "own"
   */
  chunkBuffers?: "own" | "pooled" | undefined;
  /** How long the closing handshake may go without progress, in milliseconds. @defaultValue 30,000 */
  closeTimeoutMs?: number | undefined;
  /**
   * Pings after silence, and when silence means the end; false turns it off.
   * @defaultValue a Ping after 20 s of silence, dead 20 s later; a paused reader and a draining backlog are never dead
   */
  keepAlive?: KeepaliveOptions | false | undefined;
  /**
   * How long no message may move in either direction, in milliseconds from 1; then the connection is closed with 1001, at
   * most a quarter later. Pings do not count, nor does time in which a received message waits to be read.
   * @defaultValue Infinity: silence is no fault; whether the peer lives, `keepAlive` judges
   */
  idleTimeoutMs?: number | undefined;
}

/** Options of `new WebSocketStream(url, options)`: the standard's two, and this library's. */
export interface WebSocketStreamOptions extends ConnectionLimits {
  /** Subprotocols to offer, in order of preference. If any is offered the server must select one. */
  protocols?: Iterable<string> | undefined;
  /** Aborts the opening handshake; without effect once `opened` has fulfilled. */
  signal?: AbortSignal | undefined;
  /** How long the opening handshake may take, in milliseconds. @defaultValue none: pass `AbortSignal.timeout()` as `signal` */
  handshakeTimeoutMs?: number | undefined;
  /** Whether, and how, to offer permessage-deflate. @defaultValue true */
  perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
  /** Further request fields (Node). Those of the handshake itself are refused with a TypeError. */
  headers?: HeadersInit | undefined;
  /** The `Origin` request field (Node). @defaultValue none */
  origin?: string | undefined;
  /** Options of `tls.connect` for `wss:` (Node), such as `ca`, `cert`, `servername`. */
  tls?: object | undefined;
  /** An `http.Agent` or `https.Agent` that makes the connection (Node). @defaultValue a connection of its own */
  agent?: object | undefined;
  /** Allows the ports that the Fetch standard blocks (D-28). @defaultValue false */
  allowBadPorts?: boolean | undefined;
}

/** The standard's members, converted as its dictionary is: read once, in lexicographic order. */
export function toStandardOptions(value: unknown): {
  protocols: string[];
  signal: AbortSignal | undefined;
  options: WebSocketStreamOptions;
} {
  const dictionary = toDictionary(value, "options");
  const { protocols } = dictionary;
  const list = protocols === undefined ? [] : toUSVStringSequence(protocols, "protocols");
  const { signal } = dictionary;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`Cannot use this signal as it must be an AbortSignal: current type is ${typeof signal}`);
  }
  return { protocols: list, signal, options: dictionary as WebSocketStreamOptions };
}

/** Picks and checks what the engine takes. @throws {RangeError} if a number is out of its range */
export function toConnectionLimits(
  options: ConnectionLimits,
): Pick<
  ConnectionOptions,
  | "sendLimitBytes"
  | "maxMessageBytes"
  | "maxFragments"
  | "maxInflateRatio"
  | "chunkBuffers"
  | "closeTimeoutMs"
  | "keepAlive"
  | "idleTimeoutMs"
> {
  return {
    sendLimitBytes: checkNumber(options.sendLimitBytes, "sendLimitBytes", 0),
    maxMessageBytes: checkNumber(options.maxMessageBytes, "maxMessageBytes", 1),
    maxFragments: checkNumber(options.maxFragments, "maxFragments", 1),
    maxInflateRatio: checkRatio(options.maxInflateRatio),
    chunkBuffers: checkChunkBuffers(options.chunkBuffers),
    closeTimeoutMs: checkNumber(options.closeTimeoutMs, "closeTimeoutMs", 0),
    keepAlive: checkKeepAlive(options.keepAlive),
    idleTimeoutMs: checkNumberOrInfinity(options.idleTimeoutMs, "idleTimeoutMs", 1),
  };
}

/** @throws {RangeError} unless the value is undefined or an integer from `minimum` to 2^53-1 */
export function checkNumber(value: number | undefined, name: string, minimum: number): number | undefined {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= minimum)) {
    throw new RangeError(
      `Cannot use ${name} as it must be an integer of at least ${minimum}: current value is ${value}`,
    );
  }
  return value;
}

function checkNumberOrInfinity(value: number | undefined, name: string, minimum: number): number | undefined {
  return value === Number.POSITIVE_INFINITY ? value : checkNumber(value, name, minimum);
}

function checkChunkBuffers(value: "own" | "pooled" | undefined): "own" | "pooled" | undefined {
  if (value === undefined || value === "own" || value === "pooled") return value;
  throw new TypeError(`Cannot use chunkBuffers as it must be "own" or "pooled": current value is ${value}`);
}

function checkRatio(value: number | undefined): number | undefined {
  if (value === undefined || (typeof value === "number" && value >= 1)) return value;
  throw new RangeError(`Cannot use maxInflateRatio as it must be a number of at least 1: current value is ${value}`);
}

function checkKeepAlive(options: KeepaliveOptions | false | undefined): KeepaliveOptions | false | undefined {
  if (options === undefined || options === false) return options;
  checkNumber(options.intervalMs ?? Number.NaN, "keepAlive.intervalMs", 1);
  checkNumber(options.timeoutMs ?? Number.NaN, "keepAlive.timeoutMs", 1);
  for (const name of ["stalledTimeoutMs", "pausedTimeoutMs"] as const) {
    checkNumberOrInfinity(options[name], `keepAlive.${name}`, 1);
  }
  return options;
}
