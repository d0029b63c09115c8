import type { CreditAccounts, FlowControl } from "../../sluice/src/connection/connection.ts";
import { CreditEvent } from "../../sluice/src/flow-control/credit-codec.ts";
import { ProtocolError } from "../../sluice/src/protocol/protocol-error.ts";
import type { Carrier, CarrierEvents } from "./carrier.ts";
import type { PageSettings } from "./options.ts";
import type { PageCodec } from "./plain-codec.ts";

/** Counters and held bytes of a connection. Payload bytes only: frames are out of a page's sight, and so are Ping and Pong. */
export interface Metrics {
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly heldBytesIn: number;
  readonly heldBytesOut: number;
  readonly isInputPaused: boolean;
  readonly credit: CreditAccounts | null;
}

/** Of a stream without a connection. */
export const noMetrics: Metrics = {
  messagesReceived: 0,
  messagesSent: 0,
  bytesReceived: 0,
  bytesSent: 0,
  heldBytesIn: 0,
  heldBytesOut: 0,
  isInputPaused: false,
  credit: null,
};

/** How a connection ended: 1006 without the server's Close. */
export interface ConnectionResult {
  readonly isClean: boolean;
  readonly closeCode: number;
  readonly reason: string;
  readonly cause: Error | null;
}

/** What the streams are told. */
export interface PageConnectionEvents {
  /** Comes only while there is demand, also from inside `setDemand()`. */
  onMessage(message: string | Uint8Array<ArrayBuffer>): void;
  /** Nothing can be sent any more. Messages may still come. */
  onRemoteClose(): void;
  /** No message follows, but the connection is open for ours. */
  onInputEnd(): void;
  /** Nothing follows. */
  onClosed(result: ConnectionResult): void;
}

/**
 * A page's connection as the streams see it: what `FlowConnection` over `Connection` is on Node, for one writer and over
 * what a browser has. A codec stands in front of the carrier; unread messages wait in it, and the end keeps its place behind
 * them (D-16), although below it has happened already.
 */
export class PageConnection implements CarrierEvents {
  readonly flowControl: FlowControl;
  readonly #counters: { -readonly [Name in keyof Metrics]: Metrics[Name] } = { ...noMetrics };
  readonly #carrier: Carrier;
  readonly #codec: PageCodec;
  readonly #settings: PageSettings;
  #events!: PageConnectionEvents;
  /** Neither side has begun to close, and it has not failed. */
  #isOpen = true;
  #hasDemand = false;
  /** True before start() and after the end too: there is nobody to hand anything to. */
  #isDelivering = true;
  /** Of the message that is being sent. */
  #onSettled: ((isSent: boolean) => void) | null = null;
  /** The carrier takes nothing until it says that it has room. */
  #isFull = false;
  /** Control records sent since the last data, in bytes with room for their frames. */
  #recordBytes = 0;
  /** Closes the carrier, behind the message that is being sent. */
  #requestedClose: (() => void) | null = null;
  #isCarrierClosed = false;
  /** What the carrier says is too late. */
  #hasFailed = false;
  /** How the connection ended; waits for the reader. */
  #result: ConnectionResult | null = null;
  /** A message was cut off by the server's Close. */
  #isLost = false;
  #isInputEnded = false;
  #isHalfClosed = false;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #silentMs = 0;

  constructor(carrier: Carrier, codec: PageCodec, flowControl: FlowControl, settings: PageSettings) {
    this.#carrier = carrier;
    this.#codec = codec;
    this.flowControl = flowControl;
    this.#settings = settings;
  }

  get metrics(): Metrics {
    const { queuedBytes, accounts: credit } = this.#codec;
    const isInputPaused = !this.#hasDemand && queuedBytes > 0;
    const heldBytesOut = this.#carrier.unsentBytes;
    return { ...this.#counters, heldBytesIn: queuedBytes, heldBytesOut, isInputPaused, credit };
  }

  start(events: PageConnectionEvents): void {
    this.#events = events;
    this.#isDelivering = false;
    this.#carrier.start(this);
    this.#flush();
    this.#beat();
  }

  /**
   * Sends one message, the one before being settled.
   *
   * @param onSettled called with true when the browser has room again behind it, with false when the server's Close came
   *   in between; never when the connection ends, which the events tell
   */
  send(message: string | Uint8Array, onSettled: (isSent: boolean) => void): void {
    this.#onSettled = onSettled;
    // A failure is under way, and its report the next thing to come.
    if (!this.#isOpen) return;
    if (!this.#carrier.isOpen) {
      this.#onSettled = null;
      onSettled(false);
      this.onRemoteClose();
      return;
    }
    this.#codec.send(message);
    this.#flush();
    if (this.#onSettled !== null) this.#codec.retain();
  }

  /** Nothing more will be sent. Closes, unless our half can be closed for itself: then when the server has ended its own. */
  end(): void {
    if (this.#settings.allowHalfOpen && this.flowControl === "credit" && this.#isOpen && !this.#isInputEnded) {
      this.#isOpen = false;
      this.#isHalfClosed = true;
      this.#codec.end();
      this.#flush();
    } else this.startClose(null, "", false);
  }

  /** Closes behind the message that is being sent, or at once. Unread messages are dropped. */
  startClose(closeCode: number | null, reason: string, isCut: boolean): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#close(closeCode, reason, isCut);
  }

  setDemand(hasDemand: boolean): void {
    this.#hasDemand = hasDemand;
    if (hasDemand && !this.#isDelivering) {
      this.#deliver();
      this.#flush();
    }
  }

  discard(): void {
    this.#codec.discard();
    if (this.#isHalfClosed) this.#endHalfClose();
    this.#deliver();
    this.#flush();
  }

  onMessage(message: string | Uint8Array<ArrayBuffer>): void {
    if (this.#hasFailed) return;
    this.#silentMs = -1;
    this.#counters.messagesReceived++;
    this.#counters.bytesReceived += message.length;
    try {
      // Without a time: the window grows whenever the server had to wait for a reader that waited too.
      this.#codec.receive(message, 0);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // A page may only send 1000 and 3000 to 4999; 1009 is the only other one that comes here.
      const { closeCode } = error;
      this.#fail(closeCode < 3000 ? closeCode + 3000 : closeCode, error.message, error);
      return;
    }
    this.#deliver();
    this.#flush();
  }

  onRoom(): void {
    this.#isFull = false;
    this.#flush();
  }

  /**
   * The messages in front of the server's Close will be delivered, and the end waits for them; but nothing can be sent any
   * more, so writers are told now: one of them may be what the reader waits for.
   */
  onRemoteClose(): void {
    if (this.#hasFailed) return;
    this.#isCarrierClosed = true;
    this.#isOpen = false;
    this.#events.onRemoteClose();
    if (this.#onSettled === null) return;
    this.#isLost = true;
    this.#settle(false);
  }

  onClosed(wasClean: boolean, closeCode: number, reason: string): void {
    if (this.#hasFailed) return;
    const isCloseReceived = closeCode !== 1006;
    const { unsentBytes } = this.#carrier;
    // WebKitGTK calls a close unclean for a control record that did not get out. Nobody misses a grant for data that will
    // not come.
    const isClean = wasClean || (isCloseReceived && unsentBytes < this.#recordBytes);
    // With our own Close in front of it everything was sent; else what the browser still has will never be.
    if (isClean && !this.#codec.isSending && (this.#isCarrierClosed || unsentBytes === 0)) this.#settle(true);
    if (isCloseReceived) this.onRemoteClose();
    this.#end({ isClean, closeCode, reason, cause: null });
  }

  #end(result: ConnectionResult): void {
    this.#isCarrierClosed = true;
    clearTimeout(this.#deadline);
    clearInterval(this.#heartbeat);
    this.#result = result;
    this.#deliver();
  }

  #fail(closeCode: number | null, reason: string, cause: Error | null): void {
    if (this.#hasFailed || this.#result !== null) return;
    this.#hasFailed = this.#isCarrierClosed = true;
    this.#isOpen = false;
    this.#codec.discard();
    this.#carrier.close(closeCode, reason);
    setTimeout(() => this.#end({ isClean: false, closeCode: 1006, reason: "", cause }), 0);
  }

  #close(closeCode: number | null, reason: string, isCut: boolean): void {
    this.#requestedClose = () => this.#carrier.close(closeCode, reason);
    this.#codec.discard();
    this.#watch();
    if (isCut) {
      this.#onSettled = null;
      this.#closeCarrier();
    }
    this.#deliver();
    this.#flush();
  }

  #closeCarrier(): void {
    const close = this.#requestedClose;
    if (close === null) return;
    this.#requestedClose = null;
    this.#isCarrierClosed = true;
    close();
  }

  #endHalfClose(): void {
    this.#isHalfClosed = false;
    this.#close(null, "", false);
  }

  /** D-15: progress is what the browser got rid of. */
  #watch(): void {
    const getSentBytes = (): number => this.#counters.bytesSent - this.#carrier.unsentBytes;
    const sentBytes = getSentBytes();
    this.#deadline = setTimeout(() => {
      if (getSentBytes() === sentBytes) this.#fail(null, "", null);
      else this.#watch();
    }, this.#settings.closeTimeoutMs);
  }

  /** Counts intervals rather than time: a page that was frozen must not take its own sleep for the server's. */
  #beat(): void {
    const { keepAlive } = this.#settings;
    if (keepAlive === false || this.flowControl !== "credit") return;
    const { intervalMs, timeoutMs } = keepAlive;
    this.#heartbeat = setInterval(() => {
      if (this.#isCarrierClosed) return;
      this.#silentMs = this.#silentMs < 0 ? 0 : this.#silentMs + intervalMs;
      if (this.#silentMs > timeoutMs) {
        this.#fail(null, "", null);
        return;
      }
      this.#codec.ping("");
      this.#flush();
    }, intervalMs);
  }

  /** Hands over what is wanted; then, when nothing is left in front of it, the end. */
  #deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    for (;;) {
      const event = this.#codec.next(this.#hasDemand);
      if (event === CreditEvent.NEED_DATA) break;
      if (event === CreditEvent.MESSAGE) this.#events.onMessage(this.#codec.message);
      else {
        this.#isInputEnded = true;
        this.#events.onInputEnd();
        if (this.#isHalfClosed) this.#endHalfClose();
      }
    }
    const result = this.#result;
    this.#isDelivering = result !== null && this.#codec.queuedMessages === 0;
    if (result === null || !this.#isDelivering) return;
    // A message that did not get out whole makes the close unclean (spec-digest 2.5).
    this.#events.onClosed({ ...result, isClean: result.isClean && !this.#isLost && this.#onSettled === null });
  }

  #flush(): void {
    this.#carrier.setDemand(this.#codec.wantsInput);
    while (!this.#isFull && !this.#isCarrierClosed && this.#carrier.isOpen) {
      const record = this.#codec.takeRecord();
      const data = record ?? this.#codec.takeData();
      if (data === null) {
        // No credit is left, or no message.
        if (this.#codec.isSending) return;
        this.#settle(true);
        this.#closeCarrier();
        return;
      }
      this.#recordBytes = record === null ? 0 : this.#recordBytes + record.length + 14;
      this.#counters.messagesSent++;
      this.#counters.bytesSent += data.length;
      this.#isFull = !this.#carrier.send(data);
    }
  }

  #settle(isSent: boolean): void {
    const onSettled = this.#onSettled;
    this.#onSettled = null;
    onSettled?.(isSent);
  }
}
