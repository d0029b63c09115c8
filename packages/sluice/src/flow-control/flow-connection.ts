import type { BudgetMember } from "../connection/budget.ts";
import type { ByteTransportListener } from "../connection/byte-transport.ts";
import type { Clock, Timer } from "../connection/clock.ts";
import { Deadline } from "../connection/clock.ts";
import type { Connection, ConnectionObserver, ConnectionResult, CreditAccounts } from "../connection/connection.ts";
import type { KeepaliveProbe } from "../connection/keepalive.ts";
import type { OutboxOwner, SharedFrame } from "../connection/outbox.ts";
import { SendTicket } from "../connection/send-ticket.ts";
import { ProtocolError } from "../protocol/protocol-error.ts";
import { ReadyState } from "../protocol/ready-state.ts";
import { CreditEvent } from "./credit-codec.ts";
import type { MessageCodec } from "./message-codec.ts";

/** A connection as its users see it, whatever is inside. */
export type ConnectionSurface = Pick<Connection, Exclude<keyof Connection, InwardName>>;

/** What the transport, the keepalive, the outbox and the budget call. */
type InwardName = keyof ByteTransportListener | keyof KeepaliveProbe | keyof OutboxOwner | keyof BudgetMember;

export interface FlowConnectionOptions {
  readonly clock: Clock;
  /**
   * `startClose(null, "", "all")`, which is what `writer.close()` does, only says that no data follows (flow-control.md §6);
   * the connection closes when the peer has said so too. @defaultValue false
   */
  readonly allowHalfOpen?: boolean | undefined;
  /** Asks a silent peer for a sign of life every `intervalMs`; without any within `timeoutMs` more the connection is lost. */
  readonly heartbeat?: { readonly intervalMs: number; readonly timeoutMs: number } | undefined;
  /** How long the message that a close waits for may make no progress. @defaultValue 30,000 */
  readonly closeTimeoutMs?: number | undefined;
}

/**
 * A connection with a {@link MessageCodec} in front of it: the same surface, so that the streams on top need not know.
 *
 * The connection below is read as long as the codec wants, and what waits for the reader waits in the codec. The end of
 * the connection keeps its place behind those messages (D-16), although below it has happened already.
 */
export class FlowConnection implements ConnectionSurface {
  readonly flowControl: ConnectionSurface["flowControl"];
  readonly #base: ConnectionSurface;
  readonly #codec: MessageCodec;
  readonly #clock: Clock;
  readonly #closeTimeoutMs: number;
  readonly #deadline: Deadline;
  readonly #allowHalfOpen: boolean;
  readonly #heartbeat: FlowConnectionOptions["heartbeat"];
  #heartbeatTimer: Timer | null = null;
  #silentMs = 0;
  #observer: ConnectionObserver | null = null;
  #readyState: ReadyState = ReadyState.OPEN;
  #hasDemand = false;
  #isDelivering = false;

  /** Messages behind the one that the codec has; the streams never make use of it, other callers may. */
  readonly #queue: { data: string | Uint8Array; ticket: SendTicket }[] = [];
  /** Of the message that the codec has, or whose last piece the connection below has not accepted. */
  #current: SendTicket | null = null;
  #isDataHeld = false;
  #roomWaiters: ((isRoomy: boolean) => void)[] = [];
  #isRecordHeld = false;
  /** Records sent since the last data, in bytes with room for their frames. */
  #recordBytes = 0;

  #requestedClose: { closeCode: number | null; reason: string } | null = null;
  /** How the connection below ended; waits for the reader. */
  #result: ConnectionResult | null = null;
  #hasFailed = false;
  #isLost = false;
  #isInputEnded = false;
  #isHalfClosed = false;

  constructor(
    base: ConnectionSurface,
    codec: MessageCodec,
    flowControl: ConnectionSurface["flowControl"],
    options: FlowConnectionOptions,
  ) {
    this.#base = base;
    this.#codec = codec;
    this.flowControl = flowControl;
    this.#clock = options.clock;
    this.#closeTimeoutMs = options.closeTimeoutMs ?? 30_000;
    this.#deadline = new Deadline(options.clock);
    this.#allowHalfOpen = options.allowHalfOpen ?? false;
    this.#heartbeat = options.heartbeat;
  }

  get readyState(): ReadyState {
    return this.#readyState;
  }

  get credit(): CreditAccounts | null {
    return this.#codec.accounts;
  }

  get remoteAddress(): string {
    return this.#base.remoteAddress;
  }

  get queuedBytes(): number {
    return this.#base.queuedBytes;
  }

  get sentPayloadBytes(): number {
    return this.#base.sentPayloadBytes;
  }

  get heldBytes(): { in: number; out: number } {
    const held = this.#base.heldBytes;
    return { in: held.in + this.#codec.queuedBytes, out: held.out };
  }

  get readerQueuedBytes(): number {
    return this.#observer?.queuedBytes ?? 0;
  }

  get counters(): ConnectionSurface["counters"] {
    return this.#base.counters;
  }

  get rttMs(): number | null {
    return this.#base.rttMs;
  }

  get isStalled(): boolean {
    return !this.#hasDemand && this.#codec.queuedBytes > 0;
  }

  start(observer: ConnectionObserver, head?: Uint8Array): void {
    this.#observer = observer;
    const codec = this.#codec;
    this.#base.setDemand(true);
    this.#base.start(
      {
        get queuedBytes() {
          return codec.queuedBytes + (observer.queuedBytes ?? 0);
        },
        onMessage: (message, byteLength) => this.#receive(message, byteLength),
        onCloseStarted: (initiator) => {
          if (initiator === "remote") this.#receiveClose();
        },
        onClosed: (result) => {
          this.#deadline.clear();
          if (this.#heartbeatTimer !== null) this.#clock.clearTimer(this.#heartbeatTimer);
          this.#result = result;
          this.#deliver();
        },
      },
      head,
    );
    this.#flush();
    this.#beat();
  }

  send(data: string | Uint8Array, _compress?: boolean): SendTicket | null {
    if (this.#readyState !== ReadyState.OPEN) throw new Error("Cannot send as the connection is not open");
    const ticket = new SendTicket(typeof data === "string" ? data.length : data.byteLength);
    if (this.#current !== null) {
      this.#queue.push({ data: typeof data === "string" ? data : data.slice(), ticket });
      return ticket;
    }
    this.#current = ticket;
    this.#codec.send(data);
    this.#flush();
    if (ticket.isSettled) return null;
    this.#codec.retain();
    return ticket;
  }

  /** Below flow control every connection frames for itself. */
  sendShared(frame: SharedFrame): SendTicket | null {
    return this.send(frame.message);
  }

  get isRoomy(): boolean {
    return this.#current === null && this.#queue.length === 0 && this.#base.isRoomy;
  }

  get isMemoryTight(): boolean {
    return this.#base.isMemoryTight;
  }

  onRoomy(callback: (isRoomy: boolean) => void): void {
    this.#roomWaiters.push(callback);
  }

  startClose(closeCode: number | null, reason: string, flush: "current" | "all" | "cut"): void {
    if (this.#readyState !== ReadyState.OPEN) return;
    this.#readyState = ReadyState.CLOSING;
    if (flush !== "all") for (const { ticket } of this.#queue.splice(0)) ticket.settle(false);
    this.#observer?.onCloseStarted("local");
    if (flush === "all" && closeCode === null && this.#allowHalfOpen && !this.#isInputEnded) {
      this.#isHalfClosed = true;
      this.#codec.end();
      this.#flush();
      return;
    }
    this.#codec.discard();
    if (flush === "cut") {
      this.#current?.settle(false);
      this.#current = null;
      this.#base.startClose(closeCode, reason, "cut");
    } else this.#closeBehindMessages(closeCode, reason);
    this.#deliver();
  }

  fail(closeCode: number, reason: string, cause: Error | null): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#readyState = ReadyState.CLOSING;
    this.#deadline.clear();
    this.#codec.discard();
    this.#base.fail(closeCode, reason, cause);
  }

  setDemand(hasDemand: boolean): void {
    this.#hasDemand = hasDemand;
    if (hasDemand && !this.#isDelivering && this.#observer !== null) {
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

  destroy(hasTimedOut?: boolean): void {
    this.#codec.discard();
    this.#base.destroy(hasTimedOut);
  }

  notePressure(isPaused: boolean, isStarved: boolean, hasMoved: boolean): void {
    this.#base.notePressure(isPaused, isStarved, hasMoved);
  }

  setReferenced(isReferenced: boolean): void {
    this.#base.setReferenced(isReferenced);
  }

  /** Counts intervals rather than time: a page that was frozen must not take its own sleep for the peer's. */
  #beat(): void {
    const heartbeat = this.#heartbeat;
    if (heartbeat === undefined) return;
    this.#heartbeatTimer = this.#clock.setTimer(() => {
      if (this.#base.readyState !== ReadyState.OPEN) return;
      this.#silentMs = this.#silentMs < 0 ? 0 : this.#silentMs + heartbeat.intervalMs;
      if (this.#silentMs > heartbeat.timeoutMs) {
        this.#base.destroy();
        return;
      }
      this.#codec.ping("");
      this.#flush();
      this.#beat();
    }, heartbeat.intervalMs);
  }

  #closeBehindMessages(closeCode: number | null, reason: string): void {
    this.#requestedClose = { closeCode, reason };
    this.#setDeadline();
    this.#flush();
  }

  #setDeadline(): void {
    this.#deadline.set(this.#closeTimeoutMs, () => this.#base.destroy(true));
  }

  #endHalfClose(): void {
    this.#isHalfClosed = false;
    this.#closeBehindMessages(null, "");
  }

  /**
   * The peer's Close came, perhaps behind messages that nobody has read. They will be delivered, and the end waits for
   * them; but nothing can be sent any more, so writers are told now: one of them may be what the reader waits for.
   */
  #receiveClose(): void {
    const isOpen = this.#readyState === ReadyState.OPEN;
    this.#readyState = ReadyState.CLOSING;
    if (isOpen) this.#observer?.onCloseStarted("remote");
    if (this.#current === null) return;
    this.#isLost = true;
    this.#current.settle(false);
    this.#current = null;
  }

  #receive(message: string | Uint8Array<ArrayBuffer>, byteLength: number): void {
    if (this.#hasFailed) return;
    this.#silentMs = -1;
    try {
      this.#codec.receive(message, this.#clock.now(), byteLength);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(error.closeCode, error.message, error);
      return;
    }
    this.#deliver();
    this.#flush();
  }

  /** Hands over what is wanted; then, when nothing is left in front of it, the end. */
  #deliver(): void {
    if (this.#isDelivering || this.#readyState === ReadyState.CLOSED) return;
    const observer = this.#observer as ConnectionObserver;
    this.#isDelivering = true;
    for (;;) {
      const event = this.#codec.next(this.#hasDemand);
      if (event === CreditEvent.MESSAGE) {
        observer.onMessage(this.#codec.message as string, this.#codec.messageByteLength);
      } else if (event === CreditEvent.END) {
        this.#isInputEnded = true;
        observer.onInputEnd?.();
        if (this.#isHalfClosed) this.#endHalfClose();
      } else break;
    }
    this.#isDelivering = false;
    if (this.#result !== null && this.#codec.queuedMessages === 0) this.#finish(observer, this.#result);
  }

  #finish(observer: ConnectionObserver, result: ConnectionResult): void {
    this.#readyState = ReadyState.CLOSED;
    // A message that did not get out whole makes the close unclean (spec-digest 2.5). A record does not, although below
    // it is a message as any other: nobody misses a grant for data that will not come.
    const lacksRecords = result.isCloseReceived && !this.#isDataHeld && this.#base.queuedBytes <= this.#recordBytes;
    const isClean =
      (result.isClean || (lacksRecords && this.#recordBytes > 0)) && !this.#isLost && this.#current === null;
    observer.onClosed({ ...result, isClean });
    this.#current?.settle(false);
    for (const { ticket } of this.#queue.splice(0)) ticket.settle(false);
    for (const callback of this.#roomWaiters.splice(0)) callback(false);
  }

  #flush(): void {
    this.#flushData();
    if (this.#roomWaiters.length > 0 && this.isRoomy)
      for (const callback of this.#roomWaiters.splice(0)) callback(true);
  }

  #flushData(): void {
    if (this.#base.readyState !== ReadyState.OPEN) return;
    this.#base.setDemand(this.#codec.wantsInput);
    this.#flushRecords();
    let hasMoved = false;
    while (!this.#isDataHeld) {
      const data = this.#codec.takeData();
      if (data === null) {
        if (this.#codec.isSending || !this.#nextMessage()) break;
        continue;
      }
      this.#recordBytes = 0;
      hasMoved = true;
      const ticket = this.#base.send(data);
      if (ticket === null) continue;
      this.#isDataHeld = true;
      ticket.onSettled = (isSent) => this.#onDataSettled(isSent);
    }
    // What was just taken may have used up the credit, which the peer is told.
    this.#flushRecords();
    // Below, everything is read at once, and nothing waits: whose turn it is shows here only.
    const isStarved = this.#codec.isSending && !this.#isDataHeld;
    this.#base.notePressure(this.#codec.queuedMessages > 0, isStarved, hasMoved);
    const close = this.#requestedClose;
    if (close === null || this.#codec.isSending || this.#queue.length > 0) return;
    // All that there is to send is with the connection below, which keeps the order and has a timer of its own.
    this.#requestedClose = null;
    this.#deadline.clear();
    this.#base.startClose(close.closeCode, close.reason, "all");
  }

  #onDataSettled(isSent: boolean): void {
    if (!isSent) return;
    this.#isDataHeld = false;
    if (this.#requestedClose !== null) this.#setDeadline();
    if (this.#base.readyState === ReadyState.OPEN) this.#flush();
    else if (!this.#codec.isSending) this.#nextMessage();
  }

  #flushRecords(): void {
    // While one waits, grants add up and pongs replace each other: a peer that does not read cannot make them pile up.
    while (!this.#isRecordHeld) {
      const record = this.#codec.takeRecord();
      if (record === null) return;
      this.#recordBytes += record.length + 14;
      const ticket = this.#base.send(record);
      if (ticket === null) continue;
      this.#isRecordHeld = true;
      ticket.onSettled = (isSent) => {
        this.#isRecordHeld = false;
        if (isSent) this.#flush();
      };
    }
  }

  /** The current message is out. @returns whether another one was given to the codec */
  #nextMessage(): boolean {
    this.#current?.settle(true);
    const next = this.#queue.shift();
    this.#current = next?.ticket ?? null;
    if (next !== undefined) this.#codec.send(next.data);
    return next !== undefined;
  }
}
