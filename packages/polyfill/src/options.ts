import {
  DEFAULT_MAX_MESSAGE_BYTES,
  DEFAULT_MAX_PIECES,
  DEFAULT_MAX_WINDOW_BYTES,
  DEFAULT_WINDOW_BYTES,
} from "../../sluice/src/flow-control/flow-limits.ts";
import { toDictionary, toUSVString } from "../../sluice/src/streams/idl-conversions.ts";
import type { Message } from "./stream-pair.ts";

/** What `new WebSocketStream(url, options)` takes in a page, beside the standard's `protocols` and `signal`. */
export interface PageOptions {
  /** Whether to offer credit flow control: false, true (and do without if the server does not know it), or only with it. */
  credit?: boolean | "require" | undefined;
  /** Bytes that the peer may be ahead of the reader: the credit window. */
  windowBytes?: number | undefined;
  /** What a credit window may grow to, and what is read ahead of the native class. */
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

/** The strategies, which the platform's streams check. */
export interface StreamOptions {
  readableStrategy?: QueuingStrategy<Message> | undefined;
  writableStrategy?: QueuingStrategy<string | BufferSource> | undefined;
}

/** With the defaults of a page. */
export interface PageSettings extends Required<Omit<PageOptions, "handshakeTimeoutMs">> {
  readonly handshakeTimeoutMs: number | undefined;
}

/** [smallest, default] of each number. */
const NUMBERS: Readonly<Record<string, readonly [minimum: number, fallback?: number]>> = {
  windowBytes: [1, DEFAULT_WINDOW_BYTES],
  maxWindowBytes: [1],
  // Enough for a burst, little enough for a phone.
  receiveBufferLimitBytes: [0, 16_777_216],
  // Four times that of Node: there is no event to wait for, so there must be something to send until the next look.
  sendLimitBytes: [0, 262_144],
  maxMessageBytes: [1, DEFAULT_MAX_MESSAGE_BYTES],
  maxFragments: [1, DEFAULT_MAX_PIECES],
  closeTimeoutMs: [0, 30_000],
  handshakeTimeoutMs: [1],
};

/**
 * Converts the standard's members as its dictionary is, read once and in lexicographic order, and fills in the defaults of ours.
 *
 * @throws {TypeError} for an option that a page cannot honour: it would be dropped in silence otherwise
 * @throws {RangeError} for a number out of its range
 */
export function toOptions(value: unknown): {
  protocols: string[];
  signal: AbortSignal | undefined;
  settings: PageSettings;
  strategies: StreamOptions;
} {
  const options = toDictionary(value, "options") as PageOptions & StreamOptions & Record<string, unknown>;
  const { protocols: names } = options;
  const protocols: string[] = [];
  if (names !== undefined) {
    // A string can be iterated too, but is no sequence.
    if (Object(names) !== names) throw new TypeError("Cannot convert protocols as it must be an iterable object");
    for (const name of names as Iterable<unknown>) protocols.push(toUSVString(name));
  }
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new TypeError("Cannot convert signal as it must be an AbortSignal");
  for (const name of ["headers", "origin", "tls", "agent"])
    if (options[name] !== undefined) throw new TypeError(`Cannot use ${name} as browsers do not let a page set it`);
  const { credit = false, overflow = "error", allowHalfOpen = false, native = true } = options;
  const { keepAlive = { intervalMs: 20_000, timeoutMs: 20_000 } } = options;
  const numbers: Record<string, number | undefined> = {};
  for (const [name, [minimum, fallback]] of Object.entries(NUMBERS))
    numbers[name] = checkNumber((options[name] as number | undefined) ?? fallback, name, minimum);
  numbers.maxWindowBytes ??= Math.max(numbers.windowBytes as number, DEFAULT_MAX_WINDOW_BYTES);
  if (keepAlive !== false)
    for (const name of ["intervalMs", "timeoutMs"] as const) checkNumber(keepAlive[name] ?? 0, `keepAlive.${name}`, 1);
  // The platform checks these, and does so now rather than when the connection is there.
  new ReadableStream({}, options.readableStrategy);
  new WritableStream({}, options.writableStrategy);
  const settings = { credit, overflow, allowHalfOpen, native, keepAlive, ...numbers } as unknown as PageSettings;
  return { protocols, signal, settings, strategies: options };
}

function checkNumber(value: number | undefined, name: string, minimum: number): number | undefined {
  const isUnlimited = value === Number.POSITIVE_INFINITY && name === "receiveBufferLimitBytes";
  if (value === undefined || isUnlimited || (Number.isSafeInteger(value) && value >= minimum)) return value;
  throw new RangeError(`Cannot use ${name} as it must be an integer of at least ${minimum}: current value is ${value}`);
}
