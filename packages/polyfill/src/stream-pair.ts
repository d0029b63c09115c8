import { validateCloseCodeAndReason, type WebSocketCloseInfo } from "../../sluice/src/streams/close-info.ts";
import { toUSVString } from "../../sluice/src/streams/idl-conversions.ts";
import { createWebSocketError, readWebSocketError } from "../../sluice/src/streams/websocket-error.ts";
import { toBytes } from "./buffer-source.ts";
import type { StreamOptions } from "./options.ts";
import type { ConnectionResult, PageConnection, PageConnectionEvents } from "./page-connection.ts";
import { Settlement } from "./settlement.ts";

export type Message = string | Uint8Array<ArrayBuffer>;

/**
 * A connection and the two platform streams on it: what a WebSocketStream is from `opened` to `closed` (spec-digest 2.7 to
 * 2.14). What Node's has beside that are short cuts for messages that come by the million.
 */
export class StreamPair implements PageConnectionEvents {
  readonly readable: ReadableStream<Message>;
  readonly writable: WritableStream<string | BufferSource>;
  readonly connection: PageConnection;
  readonly #closed: Settlement<Required<WebSocketCloseInfo>>;
  /** What a write rejects with when the connection is not open (D-10); one object for all who see it. */
  readonly #closedError: DOMException = new DOMException(
    "Cannot write as the connection is closing or closed",
    "InvalidStateError",
  );
  /** Neither side has begun to close, as far as the streams know. */
  #isOpen = true;

  #reader!: ReadableStreamDefaultController<Message>;
  /** A read waits. */
  #isPulled = false;
  /** Closed, errored or cancelled: the controller is not to be touched any more. */
  #isReadDone = false;

  #writer!: WritableStreamDefaultController;
  /** Of the last write; without effect once that has settled. */
  #rejectWrite: (reason: unknown) => void = () => {};
  /** Of the sink's close(), while it waits for the end of the connection. */
  #pendingClose: Settlement<void> | null = null;
  #isWriteDone = false;

  /** Starts the connection. @param closed settled when it has ended */
  constructor(connection: PageConnection, options: StreamOptions, closed: Settlement<Required<WebSocketCloseInfo>>) {
    this.connection = connection;
    this.#closed = closed;
    this.readable = new ReadableStream(
      {
        start: (controller) => {
          this.#reader = controller;
        },
        pull: () => {
          this.#isPulled = true;
          connection.setDemand(true);
        },
        cancel: (reason) => {
          this.#isReadDone = true;
          this.#closeUsingReason(reason, false);
          connection.discard();
          this.#errorWritable(this.#closedError);
        },
      },
      options.readableStrategy,
    );
    this.writable = new WritableStream(
      {
        start: (controller) => {
          this.#writer = controller;
        },
        write: (chunk) => this.#write(chunk),
        close: () => {
          this.#isWriteDone = true;
          this.#isOpen = false;
          this.#pendingClose = new Settlement();
          connection.end();
          return this.#pendingClose.promise;
        },
      },
      options.writableStrategy,
    );
    // D-13: Streams calls a sink's abort() only after the write in flight has settled; the signal comes at once.
    const { signal } = this.#writer;
    signal.onabort = () => {
      const { reason } = signal;
      this.#isWriteDone = true;
      // A message that abort() cut off does not make the close unclean.
      if (this.#isOpen) this.#rejectWrite(reason);
      this.#closeUsingReason(reason, true);
    };
    connection.setDemand(this.#hasDemand);
    connection.start(this);
  }

  /** _Close the WebSocket_ (spec-digest 2.11), after validation. */
  close(closeCode: number | null, reason: string): void {
    if (this.#isOpen) {
      this.#isOpen = false;
      this.connection.startClose(closeCode === null && reason !== "" ? 1000 : closeCode, reason, false);
      this.#errorWritable(this.#closedError);
      // Else the server's Close may stand behind messages that nobody has read, or our half be closed: no more waiting.
    } else this.connection.discard();
  }

  onMessage(message: Message): void {
    if (this.#isReadDone) return;
    // Cleared first: enqueue() may pull before it returns.
    this.#isPulled = false;
    try {
      this.#reader.enqueue(message);
    } catch {
      // The strategy's size() threw or gave no usable number, which has errored the stream (Streams §4.5.4).
      this.#isReadDone = true;
      this.close(null, "");
    }
    this.connection.setDemand(this.#hasDemand);
  }

  onRemoteClose(): void {
    this.#isOpen = false;
    // Before the TCP connection ends: pending and later writes reject now (2.12 step 3).
    this.#errorWritable(this.#closedError);
  }

  onInputEnd(): void {
    if (!this.#isReadDone) this.#reader.close();
    this.#isReadDone = true;
  }

  /** Spec-digest 2.13. */
  onClosed({ isClean, closeCode, reason, cause }: ConnectionResult): void {
    const closedError = this.#closedError;
    this.#isOpen = false;
    if (isClean) {
      this.onInputEnd();
      this.#finishWritable(closedError, closedError, true);
      this.#closed.resolve({ closeCode, reason });
      return;
    }
    const isCloseReceived = closeCode !== 1006;
    const message = isCloseReceived
      ? `The WebSocket connection closed with ${closeCode} before everything was sent or read`
      : `The WebSocket connection was lost: ${cause?.message ?? "it ended without a Close frame"}`;
    const error = createWebSocketError(closeCode, reason, message, cause);
    // What is queued is dropped, as in the Streams standard.
    if (!this.#isReadDone) this.#reader.error(error);
    this.#isReadDone = true;
    this.#finishWritable(error, isCloseReceived ? closedError : error, false);
    this.#closed.reject(error);
  }

  /** Whether the next message is wanted now: a read waits, or the queue is below its mark. */
  get #hasDemand(): boolean {
    return !this.#isReadDone && (this.#isPulled || (this.#reader.desiredSize as number) > 0);
  }

  #write(chunk: unknown): Promise<void> {
    this.#checkOpen();
    const message = toMessage(chunk);
    // The conversion may have run the user's toString().
    this.#checkOpen();
    return new Promise((resolve, reject) => {
      this.#rejectWrite = reject;
      this.connection.send(message, (isSent) => (isSent ? resolve() : reject(this.#closedError)));
    });
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw this.#closedError;
  }

  /** Errors the stream unless its end was the user's doing; a write in flight goes on. */
  #errorWritable(reason: unknown): void {
    if (!this.#isWriteDone) this.#writer.error(reason);
    this.#isWriteDone = true;
  }

  /** @param writeError what a message that was cut off rejects with */
  #finishWritable(error: unknown, writeError: unknown, isClean: boolean): void {
    const close = this.#pendingClose;
    if (close === null) this.#errorWritable(error);
    else if (isClean) close.resolve();
    else close.reject(error);
    this.#rejectWrite(writeError);
  }

  /** _Close using reason_ (spec-digest 2.10): what `cancel()` and `abort()` put on the wire. */
  #closeUsingReason(reason: unknown, isCut: boolean): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    let { closeCode, reason: text } = readWebSocketError(reason) ?? { closeCode: null, reason: "" };
    try {
      validateCloseCodeAndReason(closeCode, text);
    } catch {
      // A browser-made error from another connection: its code may not be sent, so none is.
      closeCode = null;
      text = "";
    }
    this.connection.startClose(closeCode, text, isCut);
  }
}

/** As spec-digest 2.8 step 2 says. The bytes of a view are not copied here, but where they have to wait. */
function toMessage(chunk: unknown): string | Uint8Array {
  if (typeof chunk === "string") return chunk;
  const bytes = toBytes(chunk);
  if (bytes !== null) return bytes;
  // D-11
  if (chunk instanceof Blob) throw new TypeError("Cannot write a Blob: write its stream() or arrayBuffer()");
  return toUSVString(chunk);
}
