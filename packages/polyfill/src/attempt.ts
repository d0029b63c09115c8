import { CreditCodec } from "../../sluice/src/flow-control/credit-codec.ts";
import { carriedProtocol, offerFlowProtocols } from "../../sluice/src/flow-control/flow-protocol-name.ts";
import type { Carrier } from "./carrier.ts";
import { NativeCarrier, type NativeWebSocketStream } from "./native-carrier.ts";
import type { PageSettings } from "./options.ts";
import { PageConnection } from "./page-connection.ts";
import { type PageCodec, PlainCodec } from "./plain-codec.ts";
import { WebSocketCarrier } from "./web-socket-carrier.ts";

/** As it was before anything was installed over it. */
const NativeClass = (
  globalThis as {
    WebSocketStream?: new (url: string, options: { protocols: readonly string[] }) => NativeWebSocketStream;
  }
).WebSocketStream;

/** Servers that could only be reached without the offer of flow control. */
const ignorantServers = new Set<string>();

/** Who is told, once, how an attempt went. */
export interface AttemptEvents {
  onEstablished(connection: PageConnection, protocol: string, extensions: string): void;
  onFailed(error: Error): void;
}

/** Opens a connection with what the page has: the browser's own WebSocketStream, its WebSocket, or the latter with credit. */
export class Attempt {
  readonly #url: URL;
  readonly #protocols: readonly string[];
  readonly #settings: PageSettings;
  readonly #events: AttemptEvents;
  readonly #serverKey: string;
  #close: () => void = () => {};
  #isDone = false;
  /** The server could not be reached with the offer of flow control. */
  #isIgnorant = false;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;

  /** @throws {RangeError} for a credit window that cannot be used */
  constructor(url: URL, protocols: readonly string[], settings: PageSettings, events: AttemptEvents) {
    this.#url = url;
    this.#protocols = protocols;
    this.#settings = settings;
    this.#events = events;
    this.#serverKey = url.origin + url.pathname;
    const { credit, handshakeTimeoutMs, maxFragments: maxPieces } = settings;
    // Made at once, since it checks the windows. A browser's threads and its pauses need a longer queue than the network:
    // 16 KiB messages in Firefox, loopback: 80 % of a plain WebSocket at 1 MiB, 93 % where the window may grow.
    const codec = credit === false ? null : new CreditCodec({ ...settings, maxPieces, growthIdleMs: 0 });
    if (handshakeTimeoutMs !== undefined)
      this.#timer = setTimeout(() => this.#fail("it took longer than handshakeTimeoutMs"), handshakeTimeoutMs);
    this.#open(credit === true && ignorantServers.has(this.#serverKey) ? null : codec);
  }

  /** Ends the attempt: no call to its events follows. */
  abort(): void {
    this.#end();
    this.#close();
  }

  #end(): void {
    this.#isDone = true;
    clearTimeout(this.#timer);
  }

  /** @param credit null: flow control is not offered */
  #open(credit: CreditCodec | null): void {
    try {
      if (credit === null && NativeClass !== undefined && this.#settings.native) this.#openNative(NativeClass);
      else this.#openSocket(credit);
    } catch (error) {
      // A page of https: may not open ws:, for one.
      setTimeout(() => this.#fail((error as Error).message), 0);
    }
  }

  #openSocket(credit: CreditCodec | null): void {
    const { credit: option, sendLimitBytes } = this.#settings;
    const protocols = this.#protocols;
    const isRequired = option === "require";
    const offered = credit === null ? protocols : offerFlowProtocols(protocols, isRequired);
    const socket = new WebSocket(this.#url.href, offered as string[]);
    socket.binaryType = "arraybuffer";
    this.#close = () => {
      socket.onopen = socket.onclose = null;
      socket.close();
    };
    socket.onclose = () => {
      // Chromium fails a connection when none of the offered subprotocols is selected. That is all we can know.
      if (credit !== null && !isRequired && protocols.length === 0) {
        this.#isIgnorant = true;
        this.#open(null);
      } else this.#fail("the browser does not tell why");
    };
    socket.onopen = () => {
      const { protocol, extensions } = socket;
      const carrier = new WebSocketCarrier(socket, sendLimitBytes);
      const carried = credit !== null && offered.includes(protocol) ? carriedProtocol(protocol) : null;
      if (carried !== null) this.#establish(carrier, credit as CreditCodec, "credit", carried, extensions);
      // The standard fails a connection where nothing of an offer was selected, or something without an offer. Browsers
      // agree on neither; nor would they know that what we added to the offer does not count.
      else if (!isRequired && (protocols.includes(protocol) || (protocols.length === 0 && protocol === "")))
        this.#establish(carrier, new PlainCodec(this.#settings, false), "none", protocol, extensions);
      else this.#fail(`the server selected the subprotocol "${protocol}"`);
    };
  }

  #openNative(Native: NonNullable<typeof NativeClass>): void {
    const native = new Native(this.#url.href, { protocols: this.#protocols });
    this.#close = () => native.close();
    native.closed.catch(() => {});
    native.opened.then(
      (streams) => {
        if (this.#isDone) return;
        const carrier = new NativeCarrier(native, streams);
        this.#establish(carrier, new PlainCodec(this.#settings, true), "native", streams.protocol, streams.extensions);
      },
      () => this.#fail("the browser does not tell why"),
    );
  }

  #establish(
    carrier: Carrier,
    codec: PageCodec,
    flowControl: PageConnection["flowControl"],
    protocol: string,
    extensions: string,
  ): void {
    this.#end();
    if (this.#isIgnorant) ignorantServers.add(this.#serverKey);
    this.#events.onEstablished(new PageConnection(carrier, codec, flowControl, this.#settings), protocol, extensions);
  }

  #fail(why: string): void {
    if (this.#isDone) return;
    this.abort();
    this.#events.onFailed(new Error(why));
  }
}
