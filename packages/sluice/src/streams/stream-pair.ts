import type { Connection, ConnectionObserver, ConnectionResult } from "../connection/connection.ts";
import { ReadyState } from "../protocol/ready-state.ts";
import { validateCloseCodeAndReason, type WebSocketCloseInfo } from "./close-info.ts";
import type { Established } from "./established.ts";
import { MessageSink, type MessageSinkEvents } from "./message-sink.ts";
import { MessageSource, type MessageSourceEvents, type ReadableMessage } from "./message-source.ts";
import type { Settlement } from "./settlement.ts";
import { createWebSocketError, readWebSocketError, type WebSocketError } from "./websocket-error.ts";

/**
 * An established connection and the two streams on it: what a WebSocketStream is from `opened` to `closed`
 * (spec-digest 2.7 to 2.14).
 *
 * One object with methods, and not closures, listens to all three: an idle connection is paid for by what it keeps.
 */
export class StreamPair implements ConnectionObserver, MessageSourceEvents, MessageSinkEvents {
  readonly connection: Connection;
  readonly source: MessageSource;
  readonly #sink: MessageSink;
  readonly #closed: Settlement<Required<WebSocketCloseInfo>>;
  #readyState: ReadyState = ReadyState.OPEN;
  /** What the writable is errored with when the connection is closing or closed; one object for all who see it. */
  #closedError: DOMException | null = null;
  #isClosedByPeer = false;

  /** Starts the connection. @param closed settled when it has ended */
  constructor(established: Established, closed: Settlement<Required<WebSocketCloseInfo>>) {
    const { connection, options } = established;
    this.connection = connection;
    this.#closed = closed;
    this.source = new MessageSource(options.readableStrategy, this);
    this.#sink = new MessageSink(connection, options.writableStrategy, this);
    connection.setDemand(this.source.hasDemand);
    connection.start(this, established.head);
  }

  get readable(): MessageSource["readable"] {
    return this.source.readable;
  }

  get writable(): MessageSink["writable"] {
    return this.#sink.writable;
  }

  get isOpen(): boolean {
    return this.#readyState === ReadyState.OPEN;
  }

  /** What a write rejects with when the connection is not open (D-10). */
  get closedError(): DOMException {
    this.#closedError ??= createClosedError();
    return this.#closedError;
  }

  /** Whether this is the very {@link closedError}. */
  isClosedError(error: unknown): boolean {
    return error !== null && error === this.#closedError;
  }

  /** Whether the peer's Close came first. */
  get isClosedByPeer(): boolean {
    return this.#isClosedByPeer;
  }

  /** _Close the WebSocket_ (spec-digest 2.11), after validation. */
  close(closeCode: number | null, reason: string): void {
    if (this.#readyState === ReadyState.OPEN) {
      const code = closeCode === null && reason !== "" ? 1000 : closeCode;
      this.#readyState = ReadyState.CLOSING;
      this.connection.startClose(code, reason, "current");
      this.#sink.error(this.closedError);
    } else if (this.#readyState === ReadyState.CLOSING) {
      // The peer's Close may stand behind messages that nobody has read, or our half may be closed: no more waiting.
      this.connection.discard();
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
    this.connection.startClose(closeCode, text, flush);
  }

  // The readable side.

  onDemand(): void {
    this.connection.setDemand(true);
  }

  onCancel(reason: unknown): void {
    this.#closeUsingReason(reason, "current");
    this.connection.discard();
    this.#sink.error(this.closedError);
  }

  onSourceError(): void {
    this.close(null, "");
  }

  // The writable side.

  onSinkClose(): void {
    this.#readyState = ReadyState.CLOSING;
    this.connection.startClose(null, "", "all");
  }

  onSinkAbort(reason: unknown): void {
    this.#closeUsingReason(reason, "cut");
  }

  // The connection.

  get queuedBytes(): number {
    return this.source.queuedBytes;
  }

  onMessage(message: ReadableMessage, byteLength: number): void {
    const { source, connection } = this;
    source.push(message, byteLength);
    connection.setDemand(source.hasDemand && !(connection.isMemoryTight && source.queuedBytes > 0));
  }

  onCloseStarted(initiator: "local" | "remote"): void {
    if (initiator === "local") return;
    this.#isClosedByPeer = this.#readyState === ReadyState.OPEN;
    this.#readyState = ReadyState.CLOSING;
    // Before the TCP connection ends: pending and later writes reject now (2.12 step 3).
    this.#sink.error(this.closedError);
  }

  onInputEnd(): void {
    this.source.end();
  }

  /** Spec-digest 2.13. */
  onClosed(result: ConnectionResult): void {
    this.#readyState = ReadyState.CLOSED;
    const { closeCode, reason } = result;
    if (result.isClean) {
      this.source.end();
      this.#sink.finish(this.closedError, this.closedError, true);
      this.#closed.resolve({ closeCode, reason });
      return;
    }
    const error = createUncleanError(result);
    this.source.error(error);
    this.#sink.finish(error, result.isCloseReceived ? this.closedError : error, false);
    this.#closed.reject(error);
  }
}

/** Made at the end of every connection, in a turn of the engine: its stack would tell nobody anything, and costs 20 µs. */
function createClosedError(): DOMException {
  const { stackTraceLimit } = Error;
  const mayLimit = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")?.writable === true;
  if (mayLimit) Error.stackTraceLimit = 0;
  try {
    return new DOMException("Cannot write as the connection is closing or closed", "InvalidStateError");
  } finally {
    if (mayLimit) Error.stackTraceLimit = stackTraceLimit;
  }
}

function createUncleanError(result: ConnectionResult): WebSocketError {
  const { closeCode, reason, cause } = result;
  const message = result.isCloseReceived
    ? `The WebSocket connection did not close cleanly, with ${closeCode}: ${cause?.message ?? "not everything was sent"}`
    : `The WebSocket connection was lost: ${cause?.message ?? "it ended without a Close frame"}`;
  return createWebSocketError(closeCode, reason, message, cause);
}
