import { type ConnectHandle, connect } from "#connect";
import type { Connection, ConnectionResult } from "../connection/connection.ts";
import { createClosedWhileConnectingError } from "../connection/connection-error.ts";
import { CloseCode } from "../protocol/close-code.ts";
import { ReadyState } from "../protocol/ready-state.ts";
import { validateCloseCodeAndReason } from "../streams/close-info.ts";
import { toClampedUnsignedShort, toDOMString, toUSVString } from "../streams/idl-conversions.ts";
import { toConnectionLimits } from "../streams/options.ts";
import { getURLRecord, validateProtocols } from "../streams/url-record.ts";
import { AwaitedListeners } from "./awaited-listeners.ts";
import { CloseEvent } from "./close-event.ts";
import { EventHandlers } from "./event-handlers.ts";
import { queueEventTask } from "./event-tasks.ts";
import { defineInterface, requireArguments } from "./interface-object.ts";
import { createMessageEvent } from "./message-event.ts";
import { OutgoingMessages } from "./outgoing-messages.ts";
import { toSendData } from "./send-data.ts";
import type { WebSocketConstructor, WebSocketInterface } from "./websocket-interface.ts";
import { toProtocolsAndOptions, type WebSocketOptions } from "./websocket-options.ts";

/** An open socket of the standard's event-based API; see {@link WebSocketConstructor} for how to make one. */
export type WebSocket = WebSocketInterface;

/**
 * The WebSocket class of the WHATWG standard, on the same engine as WebSocketStream (spec-digest 4).
 *
 * What happens on the connection becomes visible in event tasks, in order: `readyState` in here is what the script may
 * see, and lags behind the state of the connection.
 */
export const WebSocket: WebSocketConstructor = class WebSocket extends EventTarget implements WebSocketInterface {
  declare static readonly CONNECTING: 0;
  declare static readonly OPEN: 1;
  declare static readonly CLOSING: 2;
  declare static readonly CLOSED: 3;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSING: 2;
  declare readonly CLOSED: 3;

  readonly #url: string;
  readonly #origin: string;
  readonly #outgoing: OutgoingMessages;
  readonly #handlers: EventHandlers;
  /** Set with the option `awaitListeners`. */
  readonly #awaited: AwaitedListeners | null;
  #readyState: ReadyState = ReadyState.CONNECTING;
  #binaryType: "blob" | "arraybuffer" = "blob";
  #protocol = "";
  #extensions = "";
  #handshake: ConnectHandle | null = null;
  #connection: Connection | null = null;
  #isReferenced = true;

  constructor(url: string | URL, protocols: string | Iterable<string> | WebSocketOptions = []) {
    requireArguments("the WebSocket constructor", arguments.length, 1);
    super();
    const urlString = toUSVString(url);
    const { protocols: offered, options } = toProtocolsAndOptions(protocols);
    const record = getURLRecord(urlString);
    validateProtocols(offered);
    this.#url = record.href;
    this.#origin = record.origin;
    this.#outgoing = new OutgoingMessages(options.maxBufferedBytes ?? Number.POSITIVE_INFINITY);
    this.#awaited = options.awaitListeners ? new AwaitedListeners(this, ["open", "message"]) : null;
    this.#handlers = new EventHandlers(this, this.#awaited?.observe ?? ignore);
    const connection = { ...toConnectionLimits(options), tracksQueuedBytes: true };
    this.#handshake = connect(
      { ...options, url: record, protocols: offered, connection },
      {
        onEstablished: (established, info) => this.#establish(established, info),
        onFailed: (error) => {
          this.#handshake = null;
          queueEventTask(this.#closedTask, { ...LOST, cause: error });
        },
      },
    );
  }

  get url(): string {
    WebSocket.#check(this);
    return this.#url;
  }

  get readyState(): ReadyState {
    WebSocket.#check(this);
    return this.#readyState;
  }

  get bufferedAmount(): number {
    WebSocket.#check(this);
    return this.#outgoing.bufferedAmount;
  }

  get extensions(): string {
    WebSocket.#check(this);
    return this.#extensions;
  }

  get protocol(): string {
    WebSocket.#check(this);
    return this.#protocol;
  }

  get binaryType(): "blob" | "arraybuffer" {
    WebSocket.#check(this);
    return this.#binaryType;
  }

  set binaryType(value: "blob" | "arraybuffer") {
    WebSocket.#check(this);
    const binaryType = toDOMString(value);
    // Web IDL: a value that is not of the enumeration is ignored (D-24).
    if (binaryType === "blob" || binaryType === "arraybuffer") this.#binaryType = binaryType;
  }

  get onopen(): WebSocketInterface["onopen"] {
    return WebSocket.#getHandler(this, "open");
  }

  set onopen(value: WebSocketInterface["onopen"]) {
    WebSocket.#setHandler(this, "open", value);
  }

  get onerror(): WebSocketInterface["onerror"] {
    return WebSocket.#getHandler(this, "error");
  }

  set onerror(value: WebSocketInterface["onerror"]) {
    WebSocket.#setHandler(this, "error", value);
  }

  get onclose(): WebSocketInterface["onclose"] {
    return WebSocket.#getHandler(this, "close");
  }

  set onclose(value: WebSocketInterface["onclose"]) {
    WebSocket.#setHandler(this, "close", value);
  }

  get onmessage(): WebSocketInterface["onmessage"] {
    return WebSocket.#getHandler(this, "message");
  }

  set onmessage(value: WebSocketInterface["onmessage"]) {
    WebSocket.#setHandler(this, "message", value);
  }

  send(data: string | BufferSource | Blob): void {
    WebSocket.#check(this);
    requireArguments("send()", arguments.length, 1);
    const message = toSendData(data);
    if (this.#readyState === ReadyState.CONNECTING) {
      throw new DOMException(
        "Cannot send as the connection is not open yet: wait for the open event",
        "InvalidStateError",
      );
    }
    this.#outgoing.send(message, this.#readyState === ReadyState.OPEN);
  }

  close(code: number | undefined = undefined, reason: string | undefined = undefined): void {
    WebSocket.#check(this);
    const closeCode = code === undefined ? null : toClampedUnsignedShort(code);
    const closeReason = reason === undefined ? "" : toUSVString(reason);
    validateCloseCodeAndReason(closeCode, closeReason);
    if (this.#readyState === ReadyState.CLOSING || this.#readyState === ReadyState.CLOSED) return;
    const wasConnecting = this.#readyState === ReadyState.CONNECTING;
    this.#readyState = ReadyState.CLOSING;
    if (wasConnecting) this.#failHandshake();
    else this.#outgoing.close(closeCode === null && closeReason !== "" ? CloseCode.NORMAL : closeCode, closeReason);
  }

  ref(): this {
    return this.#setReferenced(true);
  }

  unref(): this {
    return this.#setReferenced(false);
  }

  static #check(value: unknown): asserts value is WebSocket {
    if (typeof value !== "object" || value === null || !(#url in value)) {
      throw new TypeError("Illegal invocation: this is not a WebSocket");
    }
  }

  static #getHandler<T>(socket: WebSocket, type: string): T {
    WebSocket.#check(socket);
    return socket.#handlers.get(type) as T;
  }

  static #setHandler(socket: WebSocket, type: string, value: unknown): void {
    WebSocket.#check(socket);
    socket.#handlers.set(type, value);
  }

  /** `close()` while connecting: _fail the WebSocket connection_; the events come in a later task. */
  #failHandshake(): void {
    const cause = createClosedWhileConnectingError();
    if (this.#handshake !== null) {
      this.#handshake.abort();
      this.#handshake = null;
      queueEventTask(this.#closedTask, { ...LOST, cause });
    } else {
      // The handshake is done and the task that tells so is queued: the script has not seen it yet. If it failed, there is
      // no connection, and the events of that failure are all that come.
      this.#connection?.fail(CloseCode.GOING_AWAY, "", cause);
    }
  }

  #establish(connection: Connection, info: { protocol: string; extensions: string; head: Uint8Array }): void {
    this.#handshake = null;
    this.#connection = connection;
    this.#outgoing.attach(connection);
    if (!this.#isReferenced) connection.setReferenced(false);
    queueEventTask(this.#openTask, info);
    // R10: there is always demand, unless the listeners are awaited.
    connection.setDemand(this.#awaited === null);
    connection.start(
      {
        onMessage: (message) => {
          if (this.#awaited !== null) connection.setDemand(false);
          queueEventTask(this.#messageTask, message);
        },
        onCloseStarted: (initiator) => {
          if (initiator === "remote") queueEventTask(this.#closingTask, undefined);
        },
        onClosed: (result) => queueEventTask(this.#closedTask, result),
      },
      info.head,
    );
  }

  // The task bodies of spec-digest 4.4.

  readonly #openTask = (info: { protocol: string; extensions: string }): void => {
    if (this.#readyState !== ReadyState.CONNECTING) return;
    this.#readyState = ReadyState.OPEN;
    this.#extensions = info.extensions;
    this.#protocol = info.protocol;
    this.#fire(new Event("open"));
    this.#awaited?.whenSettled(this.#wantNext);
  };

  readonly #messageTask = (message: string | Uint8Array<ArrayBuffer>): void => {
    if (this.#readyState !== ReadyState.OPEN) return;
    this.#fire(createMessageEvent(message, this.#binaryType, this.#origin));
    this.#awaited?.whenSettled(this.#wantNext);
  };

  readonly #closingTask = (): void => {
    if (this.#readyState === ReadyState.OPEN) this.#readyState = ReadyState.CLOSING;
  };

  readonly #closedTask = (result: ConnectionResult): void => {
    this.#readyState = ReadyState.CLOSED;
    const hasLost = this.#outgoing.detach();
    this.#connection = null;
    if (result.hasFailed) {
      const event = new Event("error");
      // An extension: what failed, for people. The standard's event says nothing.
      if (result.cause !== null) Object.defineProperty(event, "error", { value: result.cause, configurable: true });
      this.#fire(event);
    }
    queueEventTask(this.#closeEventTask, hasLost ? { ...result, isClean: false } : result);
  };

  readonly #closeEventTask = (result: ConnectionResult): void => {
    const { isClean, closeCode, reason } = result;
    this.#fire(new CloseEvent("close", { wasClean: isClean, code: closeCode, reason }));
  };

  readonly #wantNext = (): void => {
    this.#connection?.setDemand(true);
  };

  #fire(event: Event): void {
    this.#outgoing.startTask();
    dispatchEvent.call(this, event);
  }

  #setReferenced(isReferenced: boolean): this {
    WebSocket.#check(this);
    this.#isReferenced = isReferenced;
    this.#connection?.setReferenced(isReferenced);
    return this;
  }

  static {
    const attributes = ["url", "readyState", "bufferedAmount", "extensions", "protocol", "binaryType"];
    const handlers = ["onopen", "onerror", "onclose", "onmessage"];
    const constants = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
    defineInterface(WebSocket, [...attributes, ...handlers, "close", "send"], constants);
    // What Node's process.ref() and process.unref() look for.
    for (const name of ["ref", "unref"] as const) {
      Object.defineProperty(WebSocket.prototype, Symbol.for(`nodejs.${name}`), {
        value: WebSocket.prototype[name],
        configurable: true,
        writable: true,
      });
    }
  }
};

/** How a connection ends that was never there, or is lost without a Close frame. */
const LOST: ConnectionResult = {
  isClean: false,
  hasFailed: true,
  isCloseReceived: false,
  closeCode: CloseCode.ABNORMAL_CLOSURE,
  reason: "",
  cause: null,
};

// Not the object's own method, which a script may replace.
const { dispatchEvent } = EventTarget.prototype;

/** What a handler returns means nothing, unless the listeners are awaited. */
function ignore(): void {}
