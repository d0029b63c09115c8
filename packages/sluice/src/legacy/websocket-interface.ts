import type { CloseEvent } from "./close-event.ts";
import type { MessageEvent } from "./message-event.ts";
import type { WebSocketOptions } from "./websocket-options.ts";

/** The events of a socket by their type. */
export interface WebSocketEventMap {
  open: Event;
  /** `data` is a string for text; a Blob or an ArrayBuffer for binary, by `binaryType`. */
  message: MessageEvent;
  /** Always followed by `close`. On Node its property `error` holds what failed. */
  error: Event;
  close: CloseEvent;
}

type Handler<K extends keyof WebSocketEventMap> =
  | ((this: WebSocketInterface, event: WebSocketEventMap[K]) => unknown)
  | null;

/** A socket of the event-based API (WHATWG WebSockets §3.1). */
export interface WebSocketInterface extends EventTarget {
  /** The URL as connected to, with the scheme ws or wss. */
  readonly url: string;
  /** CONNECTING (0), OPEN (1), CLOSING (2) or CLOSED (3). */
  readonly readyState: number;
  /**
   * Payload bytes that `send()` took and that the system has not taken yet. Does not fall while a task runs, nor when the
   * connection closes; what is sent after that still adds to it.
   */
  readonly bufferedAmount: number;
  /** The `Sec-WebSocket-Extensions` of the response, `""` if none. */
  readonly extensions: string;
  /** The selected subprotocol, `""` if none. */
  readonly protocol: string;
  /** What binary messages arrive as, decided when their event is dispatched; other values are ignored. @defaultValue "blob" */
  binaryType: "blob" | "arraybuffer";
  onopen: Handler<"open">;
  onerror: Handler<"error">;
  onclose: Handler<"close">;
  onmessage: Handler<"message">;
  /**
   * Queues a message: text for a string, binary for bytes, which are copied, and for a Blob, which is read in its turn.
   * When the socket is closing or closed this only adds to `bufferedAmount`.
   *
   * @throws {DOMException} InvalidStateError while connecting
   * @throws {TypeError} for shared or resizable memory
   */
  send(data: string | BufferSource | Blob): void;
  /**
   * Starts the closing handshake behind all messages that `send()` took, or gives up connecting.
   *
   * @param code 1000 or from 3000 to 4999; without it, and without a reason, the Close frame carries none
   * @param reason at most 123 bytes of UTF-8; without a code it goes with 1000
   * @throws {DOMException} InvalidAccessError for another code; SyntaxError if the reason is too long
   */
  close(code?: number, reason?: string): void;
  /** Takes `unref()` back. An extension. @returns this */
  ref(): this;
  /** Lets the process exit while this connection is open. An extension. @returns this */
  unref(): this;
  addEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: (this: WebSocketInterface, event: WebSocketEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: (this: WebSocketInterface, event: WebSocketEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;
}

/** The interface object `WebSocket`. */
export interface WebSocketConstructor {
  /**
   * Starts connecting; `open`, or `error` and `close`, tell the outcome.
   *
   * @param url ws:, wss:, http: or https:
   * @param protocols a subprotocol, or several in order of preference; or options, which browsers do not have (D-04)
   * @throws {DOMException} SyntaxError if the URL or a subprotocol is not valid
   * @throws {TypeError} if an argument does not convert
   * @throws {RangeError} if a limit is out of its range
   *
   * @example
   * ```ts
   * import { WebSocket } from "sluice";
   *
   * const socket = new WebSocket("wss://example.com/feed", { awaitListeners: true });
   * socket.binaryType = "arraybuffer";
   * // The next message waits for this promise, and the peer for the next message.
   * socket.onmessage = async ({ data }) => {
   *   await fetch("https://example.com/store", { method: "POST", body: data as ArrayBuffer });
   * };
   * ```
   */
  new (url: string | URL, protocols?: string | Iterable<string> | WebSocketOptions): WebSocketInterface;
  readonly prototype: WebSocketInterface;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;
}
