import { toDOMString } from "../streams/idl-conversions.ts";
import { checkNumber, type WebSocketStreamOptions } from "../streams/options.ts";

/** Options of `new WebSocket(url, options)`, an extension (D-04): those of a WebSocketStream that concern the connection. */
export interface WebSocketOptions
  extends Omit<WebSocketStreamOptions, "protocols" | "signal" | "readableStrategy" | "writableStrategy"> {
  /** Subprotocols to offer, in order of preference: one, or a list. */
  protocols?: string | Iterable<string> | undefined;
  /**
   * Holds back the next message until every promise that the listeners of the last one returned has settled, so that the
   * peer is slowed down to the pace of asynchronous listeners. Promises of `open` listeners hold back the first message.
   * `close` and `error` do not wait.
   *
   * @defaultValue false: messages are dispatched as they come, as the standard says
   */
  awaitListeners?: boolean | undefined;
  /**
   * Bytes that `send()` may buffer; a message that does not fit fails the connection (`error`, then `close` with 1006).
   *
   * @defaultValue no limit, as in browsers
   */
  maxBufferedBytes?: number | undefined;
}

/** The second argument of the constructor, converted: a string, an iterable of strings, or options. */
export function toProtocolsAndOptions(value: unknown): { protocols: string[]; options: WebSocketOptions } {
  if (value === undefined) return { protocols: [], options: {} };
  const protocols = toProtocols(value);
  if (protocols !== null) return { protocols, options: {} };
  const options = value as WebSocketOptions;
  checkNumber(options.maxBufferedBytes, "maxBufferedBytes", 0);
  const member: unknown = options.protocols;
  if (member === undefined) return { protocols: [], options };
  return { protocols: toProtocols(member) ?? [toDOMString(member)], options };
}

/** Web IDL `(DOMString or sequence<DOMString>)`. @returns null for an object that is not iterable */
function toProtocols(value: unknown): string[] | null {
  const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
  if (!isObject) return [toDOMString(value)];
  const method = getIteratorMethod(value);
  if (method === undefined) return null;
  const protocols: string[] = [];
  const iterator = method.call(value);
  for (let step = iterator.next(); !step.done; step = iterator.next()) protocols.push(toDOMString(step.value));
  return protocols;
}

/** ECMAScript GetMethod: undefined and null are none. @throws {TypeError} if it is something else that cannot be called */
function getIteratorMethod(value: object): (() => Iterator<unknown>) | undefined {
  const method = (value as { [Symbol.iterator]?: (() => Iterator<unknown>) | null })[Symbol.iterator];
  if (method === undefined || method === null) return undefined;
  if (typeof method !== "function") {
    throw new TypeError(
      `Cannot convert protocols as Symbol.iterator must be a function: current type is ${typeof method}`,
    );
  }
  return method;
}
