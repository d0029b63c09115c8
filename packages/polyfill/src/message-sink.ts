import { toUSVString } from "../../sluice/src/streams/idl-conversions.ts";
import type { MessageSinkEvents, WritableMessage } from "../../sluice/src/streams/message-sink.ts";
import { Settlement } from "../../sluice/src/streams/settlement.ts";
import { toBytes } from "./buffer-source.ts";
import type { PageConnection } from "./page-connection.ts";

/**
 * Takes the place of streams/message-sink.ts in the bundle: the platform's WritableStream, one message at a time
 * (spec-digest 2.8, 2.9), without the short cut.
 */
export class MessageSink {
  readonly writable: WritableStream<WritableMessage>;
  readonly #connection: PageConnection;
  readonly #events: MessageSinkEvents;
  #controller!: WritableStreamDefaultController;
  /** Of the last write; without effect once that has settled. */
  #rejectWrite: (reason: unknown) => void = () => {};
  /** Of the sink's close(), while it waits for the end of the connection. */
  #pendingClose: Settlement<void> | null = null;
  /** Closed, aborted or errored: the controller is not to be touched any more. */
  #isDone = false;

  constructor(
    connection: PageConnection,
    strategy: QueuingStrategy<WritableMessage> | undefined,
    events: MessageSinkEvents,
  ) {
    this.#connection = connection;
    this.#events = events;
    this.writable = new WritableStream(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        write: (chunk) => this.#write(chunk),
        close: () => {
          this.#isDone = true;
          this.#pendingClose = new Settlement();
          events.onSinkClose();
          return this.#pendingClose.promise;
        },
        abort: (reason) => this.#abort(reason),
      },
      strategy,
    );
    // D-13: Streams calls the sink's abort() only after the write in flight has settled; the signal comes at once.
    const { signal } = this.#controller;
    signal.onabort = () => this.#abort(signal.reason);
  }

  /** Errors the stream unless its end was the user's doing; a write in flight goes on. */
  error(reason: unknown): void {
    if (!this.#isDone) this.#controller.error(reason);
    this.#isDone = true;
  }

  /** The connection has closed cleanly, or with `error`; `writeError` is what a message that was cut off rejects with. */
  finish(error: unknown, writeError: unknown, isClean: boolean): void {
    const close = this.#pendingClose;
    if (close === null) this.error(error);
    else if (isClean) close.resolve();
    else close.reject(error);
    this.#rejectWrite(writeError);
  }

  #write(chunk: unknown): Promise<void> {
    this.#checkOpen();
    const message = toMessage(chunk);
    // The conversion may have run the user's toString().
    this.#checkOpen();
    return new Promise((resolve, reject) => {
      this.#rejectWrite = reject;
      this.#connection.send(message, (isSent) => (isSent ? resolve() : reject(this.#events.closedError)));
    });
  }

  #checkOpen(): void {
    if (!this.#events.isOpen) throw this.#events.closedError;
  }

  #abort(reason: unknown): void {
    this.#isDone = true;
    // A message that abort() cut off does not make the close unclean.
    if (this.#events.isOpen) this.#rejectWrite(reason);
    this.#events.onSinkAbort(reason);
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
