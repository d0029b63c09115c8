import type { Connection } from "../../sluice/src/connection/connection.ts";
import { CreditCodec } from "../../sluice/src/flow-control/credit-codec.ts";
import { type ConnectionSurface, FlowConnection } from "../../sluice/src/flow-control/flow-connection.ts";
import { carriedProtocol, offerFlowProtocols } from "../../sluice/src/flow-control/flow-protocol-name.ts";
import type { MessageCodec } from "../../sluice/src/flow-control/message-codec.ts";
import type { ConnectHandle, ConnectObserver } from "../../sluice/src/node/connect.ts";
import { browserClock } from "./browser-clock.ts";
import { NativeStreamConnection, type NativeWebSocketStream } from "./native-stream-connection.ts";
import { type PageOptions, type PageSettings, toPageSettings } from "./page-options.ts";
import { PlainCodec } from "./plain-codec.ts";
import { WebSocketConnection } from "./web-socket-connection.ts";

export { addAbortListener } from "./abort-listener.ts";
export { browserClock as realClock } from "./browser-clock.ts";

/** As it was before anything was installed over it. */
const NativeClass = (
  globalThis as {
    WebSocketStream?: new (url: string, options: { protocols: readonly string[] }) => NativeWebSocketStream;
  }
).WebSocketStream;

/** Servers that could only be reached without the offer of flow control. */
const ignorantServers = new Set<string>();

export interface PageConnectOptions extends PageOptions {
  readonly url: URL;
  readonly protocols: readonly string[];
}

/**
 * Opens a connection with what the page has: the browser's own WebSocketStream, its WebSocket, or the latter with credit.
 *
 * @throws {TypeError | RangeError} for options that cannot be used
 */
export function connect(options: PageConnectOptions, observer: ConnectObserver): ConnectHandle {
  const attempt = new Attempt(options, toPageSettings(options), observer);
  attempt.start();
  return attempt;
}

class Attempt implements ConnectHandle {
  readonly #url: URL;
  readonly #protocols: readonly string[];
  readonly #settings: PageSettings;
  readonly #observer: ConnectObserver;
  #close: () => void = () => {};
  #isDone = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ url, protocols }: PageConnectOptions, settings: PageSettings, observer: ConnectObserver) {
    this.#url = url;
    this.#protocols = protocols;
    this.#settings = settings;
    this.#observer = observer;
  }

  start(): void {
    const { credit, handshakeTimeoutMs } = this.#settings;
    if (handshakeTimeoutMs !== undefined)
      this.#timer = setTimeout(() => this.#fail("it took longer than handshakeTimeoutMs"), handshakeTimeoutMs);
    if (credit !== false && !(credit === true && ignorantServers.has(this.#serverKey))) this.#openWithCredit();
    else this.#openWithout();
  }

  abort(): void {
    this.#end();
    this.#close();
  }

  get #serverKey(): string {
    return this.#url.origin + this.#url.pathname;
  }

  #openWithCredit(): void {
    const isRequired = this.#settings.credit === "require";
    const offered = offerFlowProtocols(this.#protocols, isRequired);
    this.#openSocket(offered, (selected) => {
      const carried = carriedProtocol(selected);
      if (carried !== null && offered.includes(selected)) {
        const { windowBytes, maxWindowBytes, maxMessageBytes, maxFragments: maxPieces } = this.#settings;
        return {
          codec: new CreditCodec({ windowBytes, maxWindowBytes, maxMessageBytes, maxPieces }),
          protocol: carried,
        };
      }
      // Firefox and WebKit open the connection although nothing of a non-empty offer was selected.
      const isAcceptable =
        !isRequired && (this.#protocols.includes(selected) || (selected === "" && this.#protocols.length === 0));
      return isAcceptable ? { codec: this.#createPlainCodec(0), protocol: selected } : null;
    });
  }

  #openWithout(): void {
    if (NativeClass !== undefined && this.#settings.native) {
      this.#openNative(NativeClass);
      return;
    }
    this.#openSocket(this.#protocols, (selected) => {
      // The standard fails both cases; browsers do not agree on either.
      const isAcceptable = this.#protocols.length === 0 ? selected === "" : this.#protocols.includes(selected);
      return isAcceptable ? { codec: this.#createPlainCodec(0), protocol: selected } : null;
    });
  }

  /** @param accept what is spoken with the selected subprotocol, or null if it is not acceptable */
  #openSocket(
    offered: readonly string[],
    accept: (selected: string) => { codec: MessageCodec; protocol: string } | null,
  ): void {
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.#url.href, offered as string[]);
    } catch (error) {
      // A page of https: may not open ws:, for one.
      this.#failLater(error);
      return;
    }
    socket.binaryType = "arraybuffer";
    this.#close = () => {
      socket.onopen = null;
      socket.onclose = null;
      socket.close();
    };
    socket.onclose = () => {
      // Chromium fails a connection when none of the offered subprotocols is selected. That is all we can know.
      if (this.#isDone) return;
      if (this.#settings.credit === true && this.#protocols.length === 0 && offered.length > 0) {
        this.#openWithout();
        this.#rememberIfOpened = true;
      } else this.#fail("the browser does not tell why");
    };
    socket.onopen = () => {
      const accepted = accept(socket.protocol);
      if (accepted === null) {
        this.#fail(`the server selected the subprotocol ${JSON.stringify(socket.protocol)}`);
        return;
      }
      const { sendLimitBytes, closeTimeoutMs } = this.#settings;
      const connection = new WebSocketConnection(socket, sendLimitBytes, closeTimeoutMs);
      const flowControl = accepted.codec instanceof CreditCodec ? "credit" : "none";
      this.#establish(connection, accepted.codec, flowControl, accepted.protocol, socket.extensions);
    };
  }

  #rememberIfOpened = false;

  #openNative(Native: NonNullable<typeof NativeClass>): void {
    let native: NativeWebSocketStream;
    try {
      native = new Native(this.#url.href, { protocols: this.#protocols });
    } catch (error) {
      this.#failLater(error);
      return;
    }
    this.#close = () => native.close();
    native.closed.catch(() => {});
    native.opened.then(
      (streams) => {
        if (this.#isDone) return;
        const connection = new NativeStreamConnection(native, streams, this.#settings.closeTimeoutMs);
        const codec = this.#createPlainCodec(this.#settings.windowBytes);
        this.#establish(connection, codec, "native", streams.protocol, streams.extensions);
      },
      () => this.#fail("the browser does not tell why"),
    );
  }

  /** @param readAheadBytes 0: what comes cannot be held up, so there is a limit instead */
  #createPlainCodec(readAheadBytes: number): PlainCodec {
    const { receiveBufferLimitBytes, overflow, maxMessageBytes } = this.#settings;
    const canWait = readAheadBytes > 0;
    return new PlainCodec({
      readAheadBytes: canWait ? readAheadBytes : Number.POSITIVE_INFINITY,
      limitBytes: canWait ? Number.POSITIVE_INFINITY : receiveBufferLimitBytes,
      overflow,
      maxMessageBytes,
    });
  }

  #establish(
    base: ConnectionSurface,
    codec: MessageCodec,
    flowControl: ConnectionSurface["flowControl"],
    protocol: string,
    extensions: string,
  ): void {
    this.#end();
    if (this.#rememberIfOpened) ignorantServers.add(this.#serverKey);
    const { closeTimeoutMs, allowHalfOpen, keepAlive } = this.#settings;
    const connection = new FlowConnection(base, codec, flowControl, {
      clock: browserClock,
      closeTimeoutMs,
      allowHalfOpen: allowHalfOpen && flowControl === "credit",
      heartbeat: flowControl === "credit" && keepAlive !== false ? keepAlive : undefined,
    });
    // The class is nominal for its private fields; what the streams use of it is all there.
    this.#observer.onEstablished(connection as unknown as Connection, {
      protocol,
      extensions,
      head: new Uint8Array(0),
    });
  }

  #failLater(error: unknown): void {
    browserClock.nextTask(() => this.#fail(error instanceof Error ? error.message : "the browser refused"));
  }

  #fail(why: string): void {
    if (this.#isDone) return;
    this.#end();
    this.#close();
    this.#observer.onFailed(new Error(why));
  }

  #end(): void {
    this.#isDone = true;
    clearTimeout(this.#timer);
  }
}
