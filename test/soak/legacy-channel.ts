import type { CloseEvent, MessageEvent, WebSocket as WebSocketType } from "../../packages/sluice/src/index.ts";
import type { Channel, ChannelEnd } from "./channel.ts";
import type { Message } from "./messages.ts";

/** Bytes that may be buffered when `write()` says that there is room: the standard's class has no signal of its own. */
const LOW_WATER_BYTES = 65_536;
const POLL_MS = 20;

/** A `WebSocket` with `awaitListeners` as a channel: a message that nobody reads holds the next one back. */
export class LegacyChannel implements Channel {
  readonly opened: Promise<void>;
  readonly closed: Promise<ChannelEnd>;
  readonly #socket: WebSocketType;
  /** At most one, since the next one is not dispatched before it is taken. */
  #unread: { readonly message: Message; readonly take: () => void } | null = null;
  #wake: () => void = () => {};
  #end: ChannelEnd | null = null;

  constructor(socket: WebSocketType) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    this.opened = new Promise((resolve, reject) => {
      socket.onopen = () => resolve();
      // A failed handshake is told by `close` alone as well; behind an `open` this rejection means nothing.
      socket.addEventListener("close", (event) =>
        reject(new Error(`WebSocket closed with ${(event as CloseEvent).code}`)),
      );
    });
    this.opened.catch(() => {}); // whoever waits has a promise of their own
    let errorText = "";
    socket.onerror = (event) => {
      errorText = String((event as Event & { error?: Error }).error?.message ?? "");
    };
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ wasClean, code }) => {
        this.#end = { isClean: wasClean, closeCode: code, text: errorText };
        this.#wake();
        resolve(this.#end);
      };
    });
    socket.onmessage = (event: MessageEvent) => {
      const message: Message = typeof event.data === "string" ? event.data : new Uint8Array(event.data as ArrayBuffer);
      return new Promise<void>((take) => {
        this.#unread = { message, take };
        this.#wake();
      });
    };
  }

  async read(): Promise<Message | null> {
    while (this.#unread === null) {
      if (this.#end !== null) {
        if (this.#end.isClean) return null;
        throw new Error(`The WebSocket was lost: ${this.#end.text}`);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const { message, take } = this.#unread;
    this.#unread = null;
    take();
    return message;
  }

  async write(message: Message): Promise<void> {
    this.#requireOpen();
    this.#socket.send(message as string | Uint8Array<ArrayBuffer>);
    while (this.#socket.bufferedAmount > LOW_WATER_BYTES) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      this.#requireOpen();
    }
  }

  async close(): Promise<void> {
    this.#socket.close();
    const { isClean, text } = await this.closed;
    if (!isClean) throw new Error(`The WebSocket was lost: ${text}`);
  }

  metrics(): null {
    return null;
  }

  #requireOpen(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) throw new Error("The WebSocket is not open");
  }
}
