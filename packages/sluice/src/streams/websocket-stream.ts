import { addAbortListener, type ConnectHandle, connect } from "#connect";
import type { Connection, FlowControl } from "../connection/connection.ts";
import { createClosedWhileConnectingError } from "../connection/connection-error.ts";
import { NO_METRICS, readMetrics, type StreamMetrics } from "../connection/connection-metrics.ts";
import { ReadyState } from "../protocol/ready-state.ts";
import { toCloseInfo, validateCloseCodeAndReason, type WebSocketCloseInfo } from "./close-info.ts";
import { Established } from "./established.ts";
import { toUSVString } from "./idl-conversions.ts";
import type { WritableMessage } from "./message-sink.ts";
import type { ReadableMessage } from "./message-source.ts";
import { toConnectionLimits, toStandardOptions, type WebSocketStreamOptions } from "./options.ts";
import { Settlement } from "./settlement.ts";
import { StreamPair } from "./stream-pair.ts";
import { getURLRecord, validateProtocols } from "./url-record.ts";
import { createWebSocketError } from "./websocket-error.ts";

/** The connection below a stream that is open, for the server's broadcast; else null. */
export let getConnection: (stream: WebSocketStream) => Connection | null;

/** Closes with a code that the caller has validated: a server may send more codes than a script (spec-digest 5.5). */
export let closeValidated: (stream: WebSocketStream, closeCode: number | null, reason: string) => void;

/** Whether this is the very error that the writable of `stream` has because the peer's Close came. */
export let isPeerCloseError: (stream: WebSocketStream, error: unknown) => boolean;

/** Whether this is the very error that the writable of `stream` has because its connection is closing, whoever began it. */
export let isClosedErrorOf: (stream: WebSocketStream, error: unknown) => boolean;

/**
 * A WebSocket whose messages are a pair of streams, so that a slow consumer slows its peer down instead of filling memory.
 *
 * @example
 * ```ts
 * import { WebSocketStream } from "sluice";
 *
 * const stream = new WebSocketStream("wss://example.com/feed", { signal: AbortSignal.timeout(10_000) });
 * const { readable, writable } = await stream.opened;
 * await readable.pipeTo(new WritableStream({ write: (message) => console.log(message) }));
 * ```
 */
export class WebSocketStream {
  readonly #url: string;
  readonly #opened: Settlement<WebSocketOpenInfo> = new Settlement();
  readonly #closed: Settlement<Required<WebSocketCloseInfo>> = new Settlement();
  /** "established" from the moment that there is a pair, whose affair everything is from then on. */
  #state: "connecting" | "given up" | "failed" | "established" = "connecting";
  #handshake: ConnectHandle | null = null;
  #abortListener: Disposable | null = null;
  #pair: StreamPair | null = null;

  /**
   * Starts connecting; `opened` tells the outcome.
   *
   * @param url ws:, wss:, http: or https:; user information is sent as Basic authorization
   * @throws {TypeError} if an argument does not convert
   * @throws {DOMException} SyntaxError if the URL or a subprotocol is not valid
   * @throws {RangeError} if a limit is out of its range
   */
  constructor(url: string | URL, options: WebSocketStreamOptions = {}) {
    if (arguments.length === 0) {
      throw new TypeError("Cannot construct a WebSocketStream as 1 argument is required: got 0");
    }
    if ((url as unknown) instanceof Established) {
      const established = url as unknown as Established;
      this.#url = established.url;
      this.#establish(established);
      return;
    }
    const urlString = toUSVString(url);
    const { protocols, signal, options: own } = toStandardOptions(options);
    const record = getURLRecord(urlString);
    validateProtocols(protocols);
    this.#url = record.href;
    const limits = toConnectionLimits(own);
    if (signal?.aborted) {
      this.#state = "failed";
      this.#opened.reject(signal.reason);
      this.#closed.reject(signal.reason);
      return;
    }
    if (signal !== undefined) this.#abortListener = addAbortListener(signal, () => this.#abortHandshake(signal.reason));
    this.#handshake = connect(
      { ...own, url: record, protocols, connection: limits },
      {
        onEstablished: (connection, info) => {
          this.#establish(new Established(connection, { ...info, url: this.#url, options: own }));
        },
        onFailed: (error) => this.#failHandshake(error),
      },
    );
  }

  /** The URL as connected to, with the scheme ws or wss. */
  get url(): string {
    return this.#url;
  }

  /**
   * Fulfils with the streams when the handshake succeeds. Rejects with a WebSocketError (`closeCode` null, the reason in
   * `cause`) when it fails, or with the signal's reason. Marked as handled: an outcome that nobody looks at is not an
   * unhandled rejection.
   */
  get opened(): Promise<WebSocketOpenInfo> {
    try {
      return this.#opened.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Fulfils with the peer's close code and reason when the connection closed cleanly: both Close frames exchanged, nothing
   * lost. Rejects with a WebSocketError otherwise. Behind unread messages the peer's Close is only seen once they were
   * read; `close()` or cancelling the readable gives them up. Marked as handled.
   */
  get closed(): Promise<Required<WebSocketCloseInfo>> {
    try {
      return this.#closed.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Starts the closing handshake, or gives up connecting. The message being sent is completed; chunks still queued in the
   * writable are rejected (use `writer.close()` to send them first), and messages not yet delivered are dropped.
   *
   * @param closeInfo without a code the Close frame carries none, and both sides see 1005
   * @throws {TypeError} if `closeCode` is not an integer from 0 to 65535
   * @throws {DOMException} InvalidAccessError if the code is neither 1000 nor from 3000 to 4999; SyntaxError if the reason is
   *   longer than 123 bytes of UTF-8
   */
  close(closeInfo: WebSocketCloseInfo = {}): void {
    this.#url; // brand check before conversion (Web IDL)
    const { closeCode, reason } = toCloseInfo(closeInfo);
    validateCloseCodeAndReason(closeCode, reason);
    this.#close(closeCode, reason);
  }

  /** Closes without a code, and waits until the connection has ended, however it did. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    try {
      await this.closed;
    } catch {
      // Whoever wants to know how it ended looks at `closed`; disposal only waits.
    }
  }

  /**
   * Counters and held bytes of this connection at the moment; see docs/observability.md. All zero before `opened` fulfils. Costs
   * about a microsecond. An extension.
   */
  metrics(): StreamMetrics {
    const connection = this.#pair?.connection;
    return connection === undefined ? NO_METRICS : readMetrics(connection);
  }

  /**
   * What holds the peer back when the reader is slow: "transport" on Node; in a browser "native", "credit" or, where
   * nothing does, "none". Null until `opened` fulfils. An extension.
   */
  get flowControl(): FlowControl | null {
    return this.#pair?.connection.flowControl ?? null;
  }

  /** Lets the process exit while this connection is open. An extension. @returns this */
  unref(): this {
    this.#pair?.connection.setReferenced(false);
    return this;
  }

  /** Takes `unref()` back. An extension. @returns this */
  ref(): this {
    this.#pair?.connection.setReferenced(true);
    return this;
  }

  /** _Close the WebSocket_ (spec-digest 2.11), after validation. */
  #close(closeCode: number | null, reason: string): void {
    if (this.#state !== "connecting") {
      this.#pair?.close(closeCode, reason);
      return;
    }
    this.#state = "given up";
    this.#handshake?.abort();
    // "In a later task", never during the call.
    setTimeout(() => this.#failHandshake(createClosedWhileConnectingError()), 0);
  }

  /** Spec-digest 2.6. The state goes first, so that the teardown cannot find its way into a close. */
  #abortHandshake(reason: unknown): void {
    if (this.#state !== "connecting") return;
    this.#state = "failed";
    this.#abortListener = null;
    this.#opened.reject(reason);
    this.#closed.reject(reason);
    this.#handshake?.abort();
    this.#handshake = null;
  }

  #failHandshake(cause: Error): void {
    if (this.#state === "failed") return;
    this.#state = "failed";
    this.#endHandshake();
    const message = `Cannot open the WebSocket connection: ${cause.message}`;
    this.#opened.reject(createWebSocketError(null, "", message, cause));
    this.#closed.reject(createWebSocketError(1006, "", message, cause));
  }

  #endHandshake(): void {
    this.#abortListener?.[Symbol.dispose]();
    this.#abortListener = null;
    this.#handshake = null;
  }

  /** Spec-digest 2.7: one step, so that no abort or close can come between. */
  #establish(established: Established): void {
    if (this.#state !== "connecting") {
      established.connection.destroy();
      return;
    }
    this.#endHandshake();
    this.#state = "established";
    const pair = new StreamPair(established, this.#closed);
    this.#pair = pair;
    const { extensions, protocol } = established;
    const { readable, writable } = pair;
    this.#opened.resolve({ extensions, protocol, readable, writable });
  }

  static {
    closeValidated = (stream, closeCode, reason) => stream.#close(closeCode, reason);
    isClosedErrorOf = (stream, error) => stream.#pair?.isClosedError(error) === true;
    isPeerCloseError = (stream, error) => stream.#pair?.isClosedByPeer === true && isClosedErrorOf(stream, error);
    getConnection = (stream) => {
      const pair = stream.#pair;
      // The engine may have failed and not have told so yet.
      const isOpen = pair?.isOpen === true && pair.connection.readyState === ReadyState.OPEN;
      return isOpen ? pair.connection : null;
    };
    for (const name of ["url", "opened", "closed", "close"]) {
      Object.defineProperty(WebSocketStream.prototype, name, { enumerable: true });
    }
    Object.defineProperty(WebSocketStream.prototype, Symbol.toStringTag, {
      value: "WebSocketStream",
      configurable: true,
    });
  }
}

/** What `opened` fulfils with: an ordinary object, its members in this order. */
export interface WebSocketOpenInfo {
  /** The `Sec-WebSocket-Extensions` of the response, `""` if none. */
  extensions: string;
  /** The selected subprotocol, `""` if none. */
  protocol: string;
  /** Text arrives as string, binary as Uint8Array with a buffer of its own. One message is one chunk. */
  readable: ReadableStream<ReadableMessage>;
  /** `write()` fulfils when the message is with the system or within the send limit, never earlier. */
  writable: WritableStream<WritableMessage>;
}
