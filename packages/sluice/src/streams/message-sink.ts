import type { Connection } from "../connection/connection.ts";
import { SendTicket } from "../connection/send-ticket.ts";
import { ReadyState } from "../protocol/ready-state.ts";
import { isPlain, toBytes } from "./buffer-source.ts";
import { toUSVString } from "./idl-conversions.ts";
import { MessageWritable, type WritableSink } from "./message-writable.ts";

/** What a writable stream of a connection takes. Anything else that is not a Blob is converted to a string. */
export type WritableMessage = string | BufferSource;

/**
 * The writable side: a platform WritableStream whose sink hands one message at a time to the connection
 * (spec-digest 2.8, 2.9). `write()` fulfils by the send rule S3, so `ready` and `pipeTo` follow the kernel.
 */
export class MessageSink implements WritableSink, UnderlyingSink<WritableMessage> {
  readonly writable: WritableStream<WritableMessage>;
  /** Both null once the connection is closed: the stream that a program keeps must not keep it. Nothing is written any more then. */
  #connection: Connection | null;
  #events: MessageSinkEvents | null;
  #controller!: WritableStreamDefaultController;
  /** The message being sent, if it has to wait. */
  #inFlight: InFlightWrite | null = null;
  /** The sink's close() promise, while it waits for the end of the connection. */
  #pendingClose: { resolve: () => void; reject: (reason: unknown) => void } | null = null;
  /** Closed, aborted or errored: the controller is not to be touched any more. */
  #isDone = false;
  /** The platform has called write(), so the stream is started and its queue is known to work. */
  #isStarted = false;
  /** What a writer's short cut has sent already, for the write() that the platform is about to call. */
  #presentTicket: SendTicket | null = null;
  #isListening = false;
  readonly idleSize: number | null;

  constructor(
    connection: Connection,
    strategy: QueuingStrategy<WritableMessage> | undefined,
    events: MessageSinkEvents,
  ) {
    this.#connection = connection;
    this.#events = events;
    this.idleSize = strategy?.size === undefined ? Number(strategy?.highWaterMark ?? 1) : null;
    this.writable = new MessageWritable(this, strategy);
  }

  /** The platform's call, as the next three. */
  start(controller: WritableStreamDefaultController): void {
    this.#controller = controller;
  }

  write(chunk: unknown): Promise<void> | undefined {
    this.#isStarted = true;
    const presentTicket = this.#presentTicket;
    if (presentTicket !== null) {
      this.#presentTicket = null;
      return this.#wait(presentTicket);
    }
    const events = this.#events as MessageSinkEvents;
    if (!events.isOpen) throw events.closedError;
    const message = toMessage(chunk);
    // The conversion may have run the user's toString().
    if (!events.isOpen) throw events.closedError;
    if (this.#hasFailed) return this.#wait(new SendTicket(0));
    const ticket = (this.#connection as Connection).send(message);
    return ticket === null ? undefined : this.#wait(ticket);
  }

  close(): Promise<void> {
    this.#isDone = true;
    return new Promise((resolve, reject) => {
      this.#pendingClose = { resolve, reject };
      this.#events?.onSinkClose();
    });
  }

  abort(reason: unknown): void {
    this.#isDone = true;
    // A message that abort() cut off does not make the close unclean.
    if (this.#events?.isOpen === true) this.#rejectInFlight(reason);
    this.#events?.onSinkAbort(reason);
  }

  /** Errors the stream unless its end was the user's doing; a write in flight goes on. */
  error(reason: unknown): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#controller.error(reason);
  }

  /** The connection has closed cleanly, or with `error`; `writeError` is what a message that was cut off rejects with. */
  finish(error: unknown, writeError: unknown, isClean: boolean): void {
    const pendingClose = this.#pendingClose;
    this.#pendingClose = null;
    if (pendingClose !== null) {
      if (isClean) pendingClose.resolve();
      else pendingClose.reject(error);
    } else {
      this.error(error);
    }
    this.#rejectInFlight(writeError);
    this.#connection = null;
    this.#events = null;
  }

  get isReady(): boolean {
    return this.#isStarted && !this.#isDone && (this.#events as MessageSinkEvents).isOpen && !this.#hasFailed;
  }

  /** The engine has failed the connection and reports it in the next task; what is written until then waits for its error. */
  get #hasFailed(): boolean {
    return this.#connection?.readyState !== ReadyState.OPEN;
  }

  trySend(chunk: string | Uint8Array): boolean {
    if (typeof chunk !== "string" && !isPlain(chunk)) return false;
    const ticket = (this.#connection as Connection).send(chunk);
    if (ticket === null) return true;
    this.#presentTicket = ticket;
    return false;
  }

  #wait(ticket: SendTicket): Promise<void> {
    this.#listenToAbort();
    return new Promise((resolve, reject) => {
      const inFlight = { ticket, resolve, reject };
      this.#inFlight = inFlight;
      // What the end of the connection cuts off is rejected by finish(), with the error that the streams carry.
      ticket.onSettled = (isSent) => {
        if (this.#inFlight !== inFlight) return;
        if (!isSent) {
          this.#rejectInFlight((this.#events as MessageSinkEvents).closedError);
          return;
        }
        this.#inFlight = null;
        resolve();
      };
    });
  }

  /** D-13: Streams calls the sink's abort() only after the write in flight has settled; the signal comes at once. */
  #listenToAbort(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    const { signal } = this.#controller;
    signal.addEventListener("abort", () => this.abort(signal.reason), { once: true });
  }

  #rejectInFlight(reason: unknown): void {
    const inFlight = this.#inFlight;
    if (inFlight === null) return;
    this.#inFlight = null;
    inFlight.ticket.onSettled = null;
    inFlight.reject(reason);
  }
}

export interface MessageSinkEvents {
  readonly isOpen: boolean;
  /** What a write rejects with that comes when the connection is not open (D-10). */
  readonly closedError: DOMException;
  onSinkClose(): void;
  onSinkAbort(reason: unknown): void;
}

interface InFlightWrite {
  readonly ticket: SendTicket;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Converts a chunk as spec-digest 2.8 step 2 says. The bytes of a view are not copied here: the connection does so unless
 * it frames them before it returns.
 */
function toMessage(chunk: unknown): string | Uint8Array {
  if (typeof chunk === "string") return chunk;
  const bytes = toBytes(chunk);
  if (bytes !== null) return bytes;
  if (typeof Blob !== "undefined" && chunk instanceof Blob) {
    // D-11
    throw new TypeError(
      "Cannot write a Blob as its bytes are read asynchronously: write its stream() or arrayBuffer()",
    );
  }
  return toUSVString(chunk);
}
