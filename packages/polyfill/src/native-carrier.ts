import type { Carrier, CarrierEvents } from "./carrier.ts";

type NativeMessage = string | ArrayBuffer | Uint8Array<ArrayBuffer>;

/** What is used of the browser's own class. */
export interface NativeWebSocketStream {
  readonly opened: Promise<{
    readonly extensions: string;
    readonly protocol: string;
    readonly readable: ReadableStream<NativeMessage>;
    readonly writable: WritableStream<string | Uint8Array>;
  }>;
  readonly closed: Promise<{ readonly closeCode: number; readonly reason: string }>;
  close(info?: { closeCode?: number; reason?: string }): void;
}

/**
 * The browser's own `WebSocketStream`: read only while there is demand, so its backpressure works.
 *
 * Chromium drops what was not read when the server's Close arrives, and calls the end clean. It comes to that only where we
 * had paused at this moment: the Close cannot be seen behind more than fits into the browser's own buffer. That is told as
 * an unclean end; a longer queue in front of the reader makes it rare.
 */
export class NativeCarrier implements Carrier {
  /** Its writer says so in time. */
  readonly isOpen: boolean = true;
  unsentBytes = 0;
  readonly #native: NativeWebSocketStream;
  readonly #reader: ReadableStreamDefaultReader<NativeMessage>;
  readonly #writer: WritableStreamDefaultWriter<string | Uint8Array>;
  #events!: CarrierEvents;
  #hasDemand = false;
  /** Nothing was left unread when the server's Close came. */
  #isComplete = true;
  #reading: Promise<void> | null = null;

  constructor(native: NativeWebSocketStream, { readable, writable }: Awaited<NativeWebSocketStream["opened"]>) {
    this.#native = native;
    this.#reader = readable.getReader();
    this.#writer = writable.getWriter();
  }

  start(events: CarrierEvents): void {
    this.#events = events;
    // The streams end when the server's Close arrives, which is a little earlier than the end of the connection.
    this.#writer.closed.catch(({ name }: Error) => {
      this.#isComplete = this.#hasDemand;
      if (name === "InvalidStateError") events.onRemoteClose();
    });
    this.#native.closed.then(
      ({ closeCode, reason }) => this.#finish(true, closeCode, reason),
      ({ closeCode, reason }) => this.#finish(false, closeCode ?? 1006, reason ?? ""),
    );
  }

  setDemand(hasDemand: boolean): void {
    this.#hasDemand = hasDemand;
    if (hasDemand) this.#reading ??= this.#read();
  }

  send(data: string | Uint8Array): boolean {
    const byteLength = data.length;
    this.unsentBytes += byteLength;
    this.#writer.write(data).then(
      () => {
        this.unsentBytes -= byteLength;
        this.#events.onRoom();
      },
      () => {
        // The end of the connection, which is on its way, says it.
      },
    );
    return false;
  }

  /** Gives up what is not sent, which the caller has waited for if it matters. */
  close(closeCode: number | null, reason: string): void {
    this.#native.close(closeCode === null ? {} : { closeCode, reason });
  }

  async #read(): Promise<void> {
    try {
      while (this.#hasDemand) {
        const { done, value } = await this.#reader.read();
        if (done) return;
        // Chromium gives an ArrayBuffer, the standard says Uint8Array.
        this.#events.onMessage(
          typeof value === "string" || value instanceof Uint8Array ? value : new Uint8Array(value),
        );
      }
      this.#reading = null;
    } catch {
      // `closed` rejects with the same error.
    }
  }

  async #finish(isClean: boolean, closeCode: number, reason: string): Promise<void> {
    await this.#reading;
    this.#events.onClosed(isClean && this.#isComplete, closeCode, reason);
  }
}
