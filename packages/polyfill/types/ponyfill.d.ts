/** What a readable carries: text as string, binary as Uint8Array with a buffer of its own. One message is one chunk. */
export type ReadableMessage = string | Uint8Array<ArrayBuffer>;
/** What a writable takes. */
export type WritableMessage = string | BufferSource;

/** What holds the server back when the reader is slow: the browser's own class, the credit protocol, or nothing. */
export type FlowControl = "native" | "credit" | "none";

export interface WebSocketCloseInfo {
  closeCode?: number;
  reason?: string;
}

export interface WebSocketOpenInfo {
  extensions: string;
  protocol: string;
  readable: ReadableStream<ReadableMessage>;
  writable: WritableStream<WritableMessage>;
}

export interface WebSocketStreamOptions {
  /** Subprotocols to offer, in order of preference. If any is offered the server must select one. */
  protocols?: Iterable<string> | undefined;
  /** Aborts the opening handshake; without effect once `opened` has fulfilled. */
  signal?: AbortSignal | undefined;
  /**
   * Whether to offer credit flow control, which `sluice/server` speaks. true: offered, and done without where the server
   * does not know it; where you offer no `protocols`, that may take a second connection. "require": the connection fails then.
   * @defaultValue false, since it changes the offered subprotocols
   */
  credit?: boolean | "require" | undefined;
  /** With credit: bytes that the server may be ahead of your reader, 65,536 at least. @defaultValue 1,048,576 */
  windowBytes?: number | undefined;
  /**
   * What the credit window may grow to while your reader waits for the server, and how much of a native WebSocketStream is
   * read ahead. @defaultValue 4,194,304, or `windowBytes` if more
   */
  maxWindowBytes?: number | undefined;
  /** Where nothing holds the server back: bytes that may wait for your reader. Infinity: no limit. @defaultValue 16,777,216 */
  receiveBufferLimitBytes?: number | undefined;
  /** What happens above that: the connection closes with 4008 and the streams fail, or the oldest messages go. @defaultValue "error" */
  overflow?: "error" | "drop-oldest" | undefined;
  /** With credit: `writer.close()` ends your half only; the connection closes when the server has ended its own. @defaultValue false */
  allowHalfOpen?: boolean | undefined;
  /**
   * With credit: a silent server is asked for a sign of life every `intervalMs`, and the connection is lost when none comes
   * within `timeoutMs` more. @defaultValue 20,000 each
   */
  keepAlive?: { intervalMs: number; timeoutMs: number } | false | undefined;
  /** false: the browser's own WebSocketStream is not used even if there is one. @defaultValue true */
  native?: boolean | undefined;
  /** How much `readable` queues before demand ends. @defaultValue one message */
  readableStrategy?: QueuingStrategy<ReadableMessage> | undefined;
  /** How much `writable` queues before `ready` pends. @defaultValue one message */
  writableStrategy?: QueuingStrategy<WritableMessage> | undefined;
  /** Bytes that the browser may hold unsent before a `write()` waits. @defaultValue 262,144 */
  sendLimitBytes?: number | undefined;
  /** Largest message accepted, in bytes. @defaultValue 104,857,600 */
  maxMessageBytes?: number | undefined;
  /** How long the closing handshake may make no progress, in milliseconds. @defaultValue 30,000 */
  closeTimeoutMs?: number | undefined;
  /** How long the opening handshake may take, in milliseconds. @defaultValue what the browser allows */
  handshakeTimeoutMs?: number | undefined;
}

/** Counters and held bytes of a connection at the moment. */
export interface StreamMetrics {
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Bytes that arrived and wait for your reader, without what is in the queue of `readable` itself: one message by default. */
  readonly heldBytesIn: number;
  /** Bytes that the browser has not sent, as far as it says. */
  readonly heldBytesOut: number;
  /** Whether messages wait for your reader. */
  readonly isInputPaused: boolean;
  /** With credit: what we may still send, what the server may, and our window, in bytes; at or below 0 a side waits. */
  readonly credit: { readonly available: number; readonly granted: number; readonly window: number } | null;
}

/** A WebSocket whose messages are a pair of streams. */
export class WebSocketStream {
  constructor(url: string | URL, options?: WebSocketStreamOptions);
  readonly url: string;
  readonly opened: Promise<WebSocketOpenInfo>;
  readonly closed: Promise<Required<WebSocketCloseInfo>>;
  close(closeInfo?: WebSocketCloseInfo): void;
  /** What holds the server back when the reader is slow; null until `opened` fulfils. An extension. */
  readonly flowControl: FlowControl | null;
  /** An extension. */
  metrics(): StreamMetrics;
}

/** The error of a WebSocket connection. */
export class WebSocketError extends DOMException {
  constructor(message?: string, init?: WebSocketCloseInfo);
  readonly closeCode: number | null;
  readonly reason: string;
}

/** A queuing strategy that counts bytes, of text as UTF-8. */
export class MessageByteLengthStrategy implements QueuingStrategy<string | BufferSource> {
  constructor(init: { highWaterMark: number });
  readonly highWaterMark: number;
  size(chunk: string | BufferSource): number;
}
