import type { ConnectionObserver, ConnectionResult } from "../../sluice/src/connection/connection.ts";
import { SendTicket } from "../../sluice/src/connection/send-ticket.ts";
import type { ConnectionSurface } from "../../sluice/src/flow-control/flow-connection.ts";
import { ReadyState } from "../../sluice/src/protocol/ready-state.ts";
import { browserClock } from "./browser-clock.ts";
import { PageConnection } from "./page-connection.ts";

/** What is used of the browser's own class. */
export interface NativeWebSocketStream {
  readonly opened: Promise<{
    readonly extensions: string;
    readonly protocol: string;
    readonly readable: ReadableStream<string | ArrayBuffer | Uint8Array<ArrayBuffer>>;
    readonly writable: WritableStream<string | Uint8Array>;
  }>;
  readonly closed: Promise<{ readonly closeCode: number; readonly reason: string }>;
  close(info?: { closeCode?: number; reason?: string }): void;
}

/** The browser's own `WebSocketStream` as a connection: read only while there is demand, so its backpressure works. */
export class NativeStreamConnection extends PageConnection implements ConnectionSurface {
  readonly #native: NativeWebSocketStream;
  readonly #reader: ReadableStreamDefaultReader<string | ArrayBuffer | Uint8Array<ArrayBuffer>>;
  readonly #writer: WritableStreamDefaultWriter<string | Uint8Array>;
  readonly #closeTimeoutMs: number;
  #hasDemand = false;
  #isReading = false;
  #unsentBytes = 0;
  /** The last write, which a close has to wait for: the native close() gives up what is not sent. */
  #lastWrite: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    native: NativeWebSocketStream,
    streams: Awaited<NativeWebSocketStream["opened"]>,
    closeTimeoutMs: number,
  ) {
    super();
    this.#native = native;
    this.#reader = streams.readable.getReader();
    this.#writer = streams.writable.getWriter();
    this.#closeTimeoutMs = closeTimeoutMs;
  }

  override get queuedBytes(): number {
    return this.#unsentBytes;
  }

  override start(observer: ConnectionObserver): void {
    super.start(observer);
    // The writer fails when the peer's Close arrives, which is earlier than the end of the connection.
    this.#writer.closed.catch((error: unknown) => {
      if (!(error instanceof DOMException && error.name === "InvalidStateError")) return;
      this.beginClose("remote");
      this.discard();
    });
    this.#native.closed.then(
      ({ closeCode, reason }) =>
        this.#finish({ isClean: true, hasFailed: false, isCloseReceived: true, closeCode, reason, cause: null }),
      (error: { closeCode?: number | null; reason?: string }) => {
        const closeCode = error.closeCode ?? 1006;
        const isCloseReceived = closeCode !== 1006;
        const reason = error.reason ?? "";
        this.#finish({ isClean: false, hasFailed: !isCloseReceived, isCloseReceived, closeCode, reason, cause: null });
      },
    );
  }

  override setDemand(hasDemand: boolean): void {
    this.#hasDemand = hasDemand;
    if (hasDemand && !this.#isReading && this.observer !== null) void this.#read();
  }

  /** Reading goes on, so that the closing handshake can come to its end. */
  override discard(): void {
    this.setDemand(true);
  }

  send(data: string | Uint8Array): SendTicket | null {
    const byteLength = typeof data === "string" ? data.length : data.byteLength;
    const ticket = new SendTicket(byteLength);
    this.countSent(byteLength);
    this.#unsentBytes += byteLength;
    this.#lastWrite = this.#writer.write(data).then(
      () => {
        this.#unsentBytes -= byteLength;
        ticket.settle(true);
      },
      () => {
        // The end of the connection, which is on its way, settles it.
      },
    );
    return ticket;
  }

  startClose(closeCode: number | null, reason: string, flush: "current" | "all" | "cut"): void {
    if (this.readyState !== ReadyState.OPEN) return;
    this.beginClose("local");
    this.discard();
    this.#timer = setTimeout(() => this.destroy(), this.#closeTimeoutMs);
    const close = (): void => this.#native.close(closeCode === null ? {} : { closeCode, reason });
    if (flush === "cut") close();
    else void this.#lastWrite.then(close);
  }

  fail(closeCode: number, reason: string, cause: Error | null): void {
    if (this.readyState === ReadyState.CLOSED) return;
    this.#native.close({ closeCode: closeCode < 3000 ? closeCode + 3000 : closeCode, reason });
    this.#finishLater(cause);
  }

  destroy(): void {
    if (this.readyState === ReadyState.CLOSED) return;
    this.#native.close();
    this.#finishLater(null);
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      while (this.#hasDemand) {
        const { done, value } = await this.#reader.read();
        if (done) return;
        if (typeof value === "string") this.deliver(value, -1);
        // Chromium gives an ArrayBuffer, the standard says Uint8Array.
        else this.deliver(value instanceof Uint8Array ? value : new Uint8Array(value), value.byteLength);
      }
      this.#isReading = false;
    } catch {
      // `closed` rejects with the same error.
    }
  }

  #finishLater(cause: Error | null): void {
    const result = { isClean: false, hasFailed: true, isCloseReceived: false, closeCode: 1006, reason: "", cause };
    browserClock.nextTask(() => this.#finish(result));
  }

  #finish(result: ConnectionResult): void {
    clearTimeout(this.#timer);
    this.finish(result);
  }
}
