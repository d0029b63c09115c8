import { addAbortListener, type ConnectHandle, connect } from "#connect";
import type { Connection, ConnectionResult, CreditAccounts, FlowControl } from "../connection/connection.ts";
import { createClosedWhileConnectingError } from "../connection/connection-error.ts";
import { ReadyState } from "../protocol/ready-state.ts";
import { toCloseInfo, validateCloseCodeAndReason, type WebSocketCloseInfo } from "./close-info.ts";
import { Established } from "./established.ts";
import { toUSVString } from "./idl-conversions.ts";
import { MessageSink, type WritableMessage } from "./message-sink.ts";
import { MessageSource, type ReadableMessage } from "./message-source.ts";
import { toConnectionLimits, toStandardOptions, type WebSocketStreamOptions } from "./options.ts";
import { Settlement } from "./settlement.ts";
import { getURLRecord, validateProtocols } from "./url-record.ts";
import { createWebSocketError, readWebSocketError, type WebSocketError } from "./websocket-error.ts";

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
  #readyState: ReadyState = ReadyState.CONNECTING;
  #handshake: ConnectHandle | null = null;
  #abortListener: Disposable | null = null;
  #connection: Connection | null = null;
  #source: MessageSource | null = null;
  #sink: MessageSink | null = null;
  /** What the writable is errored with when the connection is closing or closed; one object for all who see it. */
  #closedError: DOMException | null = null;
  #isClosedByPeer = false;

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
      this.#readyState = ReadyState.CLOSED;
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

  /** Counters and held bytes of this connection at the moment; cheap. */
  metrics(): StreamMetrics {
    const connection = this.#connection;
    const queuedBytes = this.#source?.queuedBytes ?? 0;
    const held = connection?.heldBytes ?? { in: 0, out: 0 };
    return {
      messagesReceived: connection?.counters.messagesReceived ?? 0,
      messagesSent: connection?.counters.messagesSent ?? 0,
      bytesReceived: connection?.counters.bytesReceived ?? 0,
      bytesSent: connection?.counters.bytesSent ?? 0,
      heldBytesIn: held.in + queuedBytes,
      heldBytesOut: held.out,
      isInputPaused: connection?.isStalled ?? false,
      rttMs: connection?.rttMs ?? null,
      credit: connection?.credit ?? null,
    };
  }

  /**
   * What holds the peer back when the reader is slow: "transport" on Node; in a browser "native", "credit" or, where
   * nothing does, "none". Null until `opened` fulfils. An extension.
   */
  get flowControl(): FlowControl | null {
    return this.#connection?.flowControl ?? null;
  }

  /** Lets the process exit while this connection is open. An extension. @returns this */
  unref(): this {
    this.#connection?.setReferenced(false);
    return this;
  }

  /** Takes `unref()` back. An extension. @returns this */
  ref(): this {
    this.#connection?.setReferenced(true);
    return this;
  }

  /** _Close the WebSocket_ (spec-digest 2.11), after validation. */
  #close(closeCode: number | null, reason: string): void {
    switch (this.#readyState) {
      case ReadyState.CONNECTING:
        this.#readyState = ReadyState.CLOSING;
        this.#handshake?.abort();
        // "In a later task", never during the call.
        setTimeout(() => this.#failHandshake(createClosedWhileConnectingError()), 0);
        break;
      case ReadyState.OPEN: {
        const code = closeCode === null && reason !== "" ? 1000 : closeCode;
        this.#readyState = ReadyState.CLOSING;
        (this.#connection as Connection).startClose(code, reason, "current");
        (this.#sink as MessageSink).error(this.#getClosedError());
        break;
      }
      case ReadyState.CLOSING:
        // The peer's Close may stand behind messages that nobody has read, or our half may be closed: no more waiting.
        this.#connection?.discard();
        break;
      case ReadyState.CLOSED:
        break;
    }
  }

  /** _Close using reason_ (spec-digest 2.10): what `cancel()` and `abort()` put on the wire. */
  #closeUsingReason(reason: unknown, flush: "current" | "cut"): void {
    if (this.#readyState !== ReadyState.OPEN) return;
    this.#readyState = ReadyState.CLOSING;
    let closeCode: number | null = null;
    let text = "";
    const error = readWebSocketError(reason);
    if (error !== null) {
      closeCode = error.closeCode;
      text = error.reason;
      try {
        validateCloseCodeAndReason(closeCode, text);
      } catch {
        // An engine-made error from another connection: its code may not be sent, so none is.
        closeCode = null;
        text = "";
      }
    }
    (this.#connection as Connection).startClose(closeCode, text, flush);
  }

  /** Spec-digest 2.6. The state goes first, so that the teardown cannot find its way into a close. */
  #abortHandshake(reason: unknown): void {
    if (this.#readyState !== ReadyState.CONNECTING) return;
    this.#readyState = ReadyState.CLOSED;
    this.#abortListener = null;
    this.#opened.reject(reason);
    this.#closed.reject(reason);
    this.#handshake?.abort();
    this.#handshake = null;
  }

  #failHandshake(cause: Error): void {
    if (this.#readyState === ReadyState.CLOSED) return;
    this.#readyState = ReadyState.CLOSED;
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
    const { connection, options } = established;
    if (this.#readyState !== ReadyState.CONNECTING) {
      connection.destroy();
      return;
    }
    this.#endHandshake();
    const source = new MessageSource(options.readableStrategy, {
      onDemand: () => connection.setDemand(true),
      onCancel: (reason) => {
        this.#closeUsingReason(reason, "current");
        connection.discard();
        (this.#sink as MessageSink).error(this.#getClosedError());
      },
      onSourceError: () => {
        this.#close(null, "");
      },
    });
    const sink = new MessageSink(connection, options.writableStrategy, {
      isOpen: () => this.#readyState === ReadyState.OPEN,
      getClosedError: () => this.#getClosedError(),
      onSinkClose: () => {
        this.#readyState = ReadyState.CLOSING;
        connection.startClose(null, "", "all");
      },
      onSinkAbort: (reason) => this.#closeUsingReason(reason, "cut"),
    });
    this.#readyState = ReadyState.OPEN;
    this.#connection = connection;
    this.#source = source;
    this.#sink = sink;
    connection.setDemand(source.hasDemand);
    connection.start(
      {
        get queuedBytes() {
          return source.queuedBytes;
        },
        onMessage: (message, byteLength) => {
          source.push(message, byteLength);
          connection.setDemand(source.hasDemand && !(connection.isMemoryTight && source.queuedBytes > 0));
        },
        onCloseStarted: (initiator) => {
          if (initiator === "local") return;
          this.#isClosedByPeer = this.#readyState === ReadyState.OPEN;
          this.#readyState = ReadyState.CLOSING;
          // Before the TCP connection ends: pending and later writes reject now (2.12 step 3).
          sink.error(this.#getClosedError());
        },
        onInputEnd: () => source.end(),
        onClosed: (result) => this.#finish(result),
      },
      established.head,
    );
    const { extensions, protocol } = established;
    const { readable } = source;
    const { writable } = sink;
    this.#opened.resolve({ extensions, protocol, readable, writable });
  }

  /** Spec-digest 2.13. */
  #finish(result: ConnectionResult): void {
    this.#readyState = ReadyState.CLOSED;
    const source = this.#source as MessageSource;
    const sink = this.#sink as MessageSink;
    const { closeCode, reason } = result;
    if (result.isClean) {
      source.end();
      sink.finish(this.#getClosedError(), this.#getClosedError(), true);
      this.#closed.resolve({ closeCode, reason });
      return;
    }
    const error = createUncleanError(result);
    source.error(error);
    sink.finish(error, result.isCloseReceived ? this.#getClosedError() : error, false);
    this.#closed.reject(error);
  }

  #getClosedError(): DOMException {
    this.#closedError ??= new DOMException("Cannot write as the connection is closing or closed", "InvalidStateError");
    return this.#closedError;
  }

  static {
    closeValidated = (stream, closeCode, reason) => stream.#close(closeCode, reason);
    isClosedErrorOf = (stream, error) => error !== null && error === stream.#closedError;
    isPeerCloseError = (stream, error) => stream.#isClosedByPeer && isClosedErrorOf(stream, error);
    getConnection = (stream) => {
      const connection = stream.#connection;
      const isOpen = stream.#readyState === ReadyState.OPEN && connection?.readyState === ReadyState.OPEN;
      return isOpen ? connection : null;
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

/** A connection's counters. Bytes include framing; held bytes are user-space memory at this moment. */
export interface StreamMetrics {
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Unparsed input, the message in assembly and the readable's queue. */
  readonly heldBytesIn: number;
  /** Payload being sent, encoded frames, and what the socket has not handed to the system. */
  readonly heldBytesOut: number;
  /** Whether reading from the network stands still because the consumer asks for nothing. */
  readonly isInputPaused: boolean;
  /** Round trip of the newest answered Ping, in milliseconds; null before the first. */
  readonly rttMs: number | null;
  /** The accounts of the credit protocol, in bytes; null without it. */
  readonly credit: CreditAccounts | null;
}

function createUncleanError(result: ConnectionResult): WebSocketError {
  const { closeCode, reason, cause } = result;
  const message = result.isCloseReceived
    ? `The WebSocket connection did not close cleanly, with ${closeCode}: ${cause?.message ?? "not everything was sent"}`
    : `The WebSocket connection was lost: ${cause?.message ?? "it ended without a Close frame"}`;
  return createWebSocketError(closeCode, reason, message, cause);
}
