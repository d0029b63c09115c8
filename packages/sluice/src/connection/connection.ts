import { CloseCode } from "../protocol/close-code.ts";
import { DEFAULT_LIMITS } from "../protocol/limits.ts";
import type { PerMessageDeflateCodec } from "../protocol/permessage-deflate/codec.ts";
import { ProtocolError } from "../protocol/protocol-error.ts";
import { ReadyState, transition } from "../protocol/ready-state.ts";
import type { Role } from "../protocol/role.ts";
import type { Utf8Codec } from "../protocol/utf8.ts";
import { ProtocolEvent, WebSocketProtocol } from "../protocol/websocket-protocol.ts";
import type { Budget, BudgetMember } from "./budget.ts";
import type { ByteTransport, ByteTransportListener } from "./byte-transport.ts";
import { type Clock, Deadline } from "./clock.ts";
import { ConnectionError, createCloseTimeoutError } from "./connection-error.ts";
import type { ConnectionWatcher } from "./connection-watcher.ts";
import { IdleTimeout } from "./idle-timeout.ts";
import {
  DEFAULT_KEEPALIVE,
  Keepalive,
  type KeepaliveOptions,
  type KeepaliveProbe,
  type KeepaliveVerdict,
} from "./keepalive.ts";
import { Outbox, type OutboxOwner, type SharedFrame } from "./outbox.ts";
import { PressureTimes, wholeMs } from "./pressure-times.ts";
import type { SendTicket } from "./send-ticket.ts";

/**
 * The engine: joins a transport to the protocol core and carries messages both ways for one established connection.
 *
 * Receiving is demand-driven (spec-digest 6.2): bytes are parsed only while the observer wants a message; at the header
 * of an unwanted one the parser stalls and the transport is paused, which closes the TCP window. Sending is bounded by
 * the {@link Outbox}. Closing follows spec-digest 2.11 to 2.14. This is the one place that turns a ProtocolError into a
 * Close. It knows no streams and no events: both public APIs sit on it (spec-digest 4.7).
 */
export class Connection implements ByteTransportListener, KeepaliveProbe, OutboxOwner, BudgetMember {
  readonly #transport: ByteTransport;
  readonly #protocol: WebSocketProtocol;
  readonly #clock: Clock;
  readonly #role: Role;
  readonly #outbox: Outbox;
  readonly #closeTimeoutMs: number;
  #deadline: Deadline | null = null;
  readonly #budget: Budget | null;
  #chargedBytes = 0;
  #isChargeScheduled = false;
  #isGivenUp = false;
  readonly #keepAliveOptions: KeepaliveOptions | false;
  #keepAlive: Keepalive | null = null;
  readonly #idleTimeoutMs: number;
  #idleTimeout: IdleTimeout | null = null;
  #observer: ConnectionObserver = NO_OBSERVER;
  #readyState: ReadyState = ReadyState.OPEN;

  // Receiving.
  #isReading = false;
  #hasDemand = false;
  #isParsing = false;
  #isDiscarding = false;
  #isStalled = false;
  #isHeldByInflater = false;
  #isRetentionScheduled = false;
  #isPaused = true;
  /** After a Close was received, or after we failed: what comes is thrown away. */
  #ignoresInput = false;
  #hasInputEnded = false;

  // Closing.
  #requestedClose: { closeCode: number | null; reason: string } | null = null;
  #isCloseSent = false;
  #isCloseFlushed = false;
  /** Position in the output, in bytes since the start, at which our Close ends. Pongs may follow. */
  #closeEnd = 0;
  #receivedClose: { closeCode: number; reason: string } | null = null;
  #hasFailed = false;
  #isLost = false;
  #cause: Error | null = null;
  #isTransportClosed = false;
  #isFinishing = false;

  #messagesReceived = 0;
  #messagesSent = 0;
  #bytesReceived = 0;
  #pingsReceived = 0;
  #openedAt: number | null = null;
  #endedAt: number | null = null;
  /** Made when a direction first stands still. */
  #pressure: PressureTimes | null = null;
  readonly #watcher: ConnectionWatcher | null;

  constructor(transport: ByteTransport, options: ConnectionOptions) {
    this.#transport = transport;
    this.#clock = options.clock;
    this.#role = options.role;
    this.#closeTimeoutMs = options.closeTimeoutMs ?? DEFAULT_LIMITS.closeTimeoutMs;
    this.#keepAliveOptions = options.keepAlive ?? DEFAULT_KEEPALIVE;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? DEFAULT_LIMITS.idleTimeoutMs;
    this.#budget = options.budget ?? null;
    this.#watcher = options.watcher ?? null;
    this.#protocol = new WebSocketProtocol({
      role: options.role,
      fillRandom: options.fillRandom,
      maxMessageBytes: options.maxMessageBytes,
      maxFragments: options.maxFragments,
      maxInflateRatio: options.maxInflateRatio,
      chunkBuffers: options.chunkBuffers,
      deflate: options.deflate ?? undefined,
      utf8: options.utf8,
    });
    this.#outbox = new Outbox(transport, this.#protocol, options.clock, this, {
      sendLimitBytes: options.sendLimitBytes ?? DEFAULT_LIMITS.sendLimitBytes,
      deflater: options.deflate?.deflater ?? null,
      tracksQueuedBytes: options.tracksQueuedBytes ?? false,
    });
  }

  /** What holds the peer back when the reader is slow. */
  readonly flowControl: FlowControl = "transport";

  /** The accounts of the credit protocol; null without it. */
  get credit(): CreditAccounts | null {
    return null;
  }

  /** OPEN from the start; then CLOSING, then CLOSED. */
  get readyState(): ReadyState {
    return this.#readyState;
  }

  /** The peer's address, or `""`. */
  get remoteAddress(): string {
    return this.#transport.remoteAddress;
  }

  /** Payload bytes that `send` took and the system has not, before compression; needs `tracksQueuedBytes`. */
  get queuedBytes(): number {
    return this.#outbox.queuedBytes;
  }

  /** Payload bytes that the system has taken since the start, before compression; needs `tracksQueuedBytes`. */
  get sentPayloadBytes(): number {
    return this.#outbox.sentPayloadBytes;
  }

  /** User-space bytes that this connection holds, each way; what the observer queues is not included. */
  get heldBytes(): { in: number; out: number } {
    return { in: this.#heldBytesIn, out: this.#outbox.heldBytes };
  }

  /** Payload bytes of messages that wait, delivered, for the reader of a stream. */
  get readerQueuedBytes(): number {
    return this.#observer.queuedBytes ?? 0;
  }

  get #heldBytesIn(): number {
    const protocol = this.#protocol;
    return protocol.bufferedBytes + protocol.assembledBytes + this.#transport.unreadBytes;
  }

  /** Counters since the start. */
  get counters(): ConnectionCounters {
    const now = this.#endedAt ?? wholeMs(this.#clock);
    const openMs = this.#openedAt === null ? 0 : now - this.#openedAt;
    const pressure = this.#pressure;
    const inputPausedMs = pressure?.inputPausedMs(now) ?? 0;
    const outputNetworkMs = pressure?.outputNetworkMs(now) ?? 0;
    const outputPeerMs = pressure?.outputPeerMs(now) ?? 0;
    return {
      messagesReceived: this.#messagesReceived,
      messagesSent: this.#messagesSent,
      bytesReceived: this.#bytesReceived,
      bytesSent: this.#outbox.writtenBytes,
      pingsReceived: this.#pingsReceived,
      pingsSent: this.#keepAlive?.pingsSent ?? 0,
      pongsReceived: this.#keepAlive?.pongsReceived ?? 0,
      openMs,
      inputPausedMs,
      inputWaitingMs: openMs - inputPausedMs,
      outputIdleMs: openMs - outputNetworkMs - outputPeerMs,
      outputNetworkMs,
      outputPeerMs,
    };
  }

  /** Round trip of the newest answered Ping in milliseconds, or null. */
  get rttMs(): number | null {
    return this.#keepAlive?.rttMs ?? null;
  }

  /** Why input does not flow at the moment: the observer wants no message, or nothing of the kind. */
  get isStalled(): boolean {
    return this.#isStalled;
  }

  /**
   * Begins. Nothing is read or parsed before; the first parsing happens in a later task, so that reactions to the
   * establishment run before frames that came in the same packet.
   *
   * @param head bytes that arrived behind the handshake (H31)
   */
  start(observer: ConnectionObserver, head?: Uint8Array): void {
    this.#observer = observer;
    this.#openedAt = wholeMs(this.#clock);
    this.#transport.start(this);
    if (this.#keepAliveOptions !== false) this.#keepAlive = new Keepalive(this.#clock, this.#keepAliveOptions, this);
    if (this.#idleTimeoutMs < Number.POSITIVE_INFINITY) this.#idleTimeout = this.#startIdleTimeout();
    if (head !== undefined && head.byteLength > 0) {
      this.#bytesReceived += head.byteLength;
      this.#protocol.receive(head);
    }
    this.#clock.nextTask(() => {
      this.#isReading = true;
      this.#parse();
    });
  }

  /**
   * Queues one message. Bytes that are not framed before the call returns are copied.
   *
   * @returns null if the message is with the transport and the unsent bytes are at or below the send limit (S3); else a
   *   ticket that says when
   * @throws {Error} if the connection is not open: callers check `readyState`
   */
  send(data: string | Uint8Array, compress: boolean = true): SendTicket | null {
    if (this.#readyState !== ReadyState.OPEN) throw new Error("Cannot send as the connection is not open");
    this.#messagesSent++;
    const ticket = this.#outbox.send(data, compress);
    if (ticket !== null) this.#charge();
    return ticket;
  }

  /** Sends a frame that many connections share; a server's connection only. @returns as `send` */
  sendShared(frame: SharedFrame): SendTicket | null {
    this.#messagesSent++;
    const ticket = this.#outbox.sendShared(frame);
    if (ticket !== null) this.#charge();
    return ticket;
  }

  /** Whether the memory that connections share is nearly used up, so that each should hold little. */
  get isMemoryTight(): boolean {
    return this.#budget?.isAboveSoft ?? false;
  }

  /** Whether a message would go out at once. */
  get isRoomy(): boolean {
    return this.#outbox.isRoomy;
  }

  /** Calls back once there is room, or with false when the connection ends. */
  onRoomy(callback: (isRoomy: boolean) => void): void {
    this.#outbox.onRoomy(callback);
  }

  /**
   * Starts the closing handshake. Does nothing unless OPEN.
   *
   * @param closeCode what goes on the wire; null for a Close without a body. Callers validate
   * @param flush which messages go first: "current" the one that is being sent, "all", or "cut": none, not even the rest
   *   of the current one
   */
  startClose(closeCode: number | null, reason: string, flush: "current" | "all" | "cut"): void {
    if (this.#readyState !== ReadyState.OPEN) return;
    this.#readyState = transition(this.#readyState, "closeStarted");
    this.#stopWatching();
    this.#requestedClose = { closeCode, reason };
    if (flush !== "all") this.#outbox.drop(flush === "current");
    this.#outbox.settleDropped();
    this.#setCloseDeadline();
    this.#observer.onCloseStarted("local");
    this.#sendRequestedClose();
    this.discard();
  }

  /**
   * _Fail the WebSocket Connection_ (RFC 6455 §7.1.7): sends Close, processes nothing more, reports at once (D-20). The
   * transport lingers in the background so that the Close can arrive.
   */
  fail(closeCode: number, reason: string, cause: Error | null): void {
    if (this.#hasFailed || this.#receivedClose !== null || this.#isFinishing) return;
    this.#hasFailed = true;
    this.#cause ??= cause;
    this.#readyState = transition(this.#readyState, "closeStarted");
    this.#stopInput();
    this.#outbox.drop(false);
    if (!this.#isTransportClosed) {
      if (!this.#isCloseSent) this.#sendClose(closeCode, reason);
      this.#transport.end();
      this.#setDeadline(DEFAULT_LIMITS.lingerMs);
      this.#updateFlow();
    }
    this.#finish();
  }

  /** Says whether the observer wants the next message. While it does not, at most the message in assembly is read (R2, R3). */
  setDemand(hasDemand: boolean): void {
    this.#hasDemand = hasDemand;
    if (!hasDemand) return;
    if (this.#isStalled) this.#parse();
    // Something was read, perhaps the last thing that ever comes: what it held is free for others.
    if (this.#chargedBytes > 0 && !this.#isChargeScheduled) this.#chargeAtEndOfTurn();
  }

  #chargeAtEndOfTurn(): void {
    this.#isChargeScheduled = true;
    this.#clock.endOfTurn(() => {
      this.#isChargeScheduled = false;
      this.#charge();
    });
  }

  /** From now on data messages are parsed, validated and dropped, so that the closing handshake can progress (R8). */
  discard(): void {
    if (this.#isDiscarding) return;
    this.#isDiscarding = true;
    this.#protocol.discard();
    this.#parse();
  }

  /** Ends the connection at once, without a Close frame. @param hasTimedOut a protocol on top waited for `closeTimeoutMs` */
  destroy(hasTimedOut?: boolean): void {
    if (hasTimedOut) this.#cause ??= createCloseTimeoutError(this.#closeTimeoutMs);
    this.#transport.destroy();
  }

  /**
   * What a protocol on top holds up, for the times under pressure: messages that its reader does not take, or ours that the peer
   * grants no credit for.
   *
   * @param hasMoved whether some of ours went down since the last call
   */
  notePressure(isPaused: boolean, isStarved: boolean, hasMoved: boolean): void {
    if (this.#pressure === null) {
      if (!isPaused && !isStarved) return;
      this.#pressure = new PressureTimes(this.#clock);
    }
    if (hasMoved) this.#pressure.noteMoved();
    this.#pressure.setPaused(isPaused);
    this.#pressure.setStarved(isStarved);
  }

  /** Whether the open connection keeps the process alive; it does by default. */
  setReferenced(isReferenced: boolean): void {
    this.#transport.setReferenced(isReferenced);
  }

  // The transport's calls.

  onData(chunk: Uint8Array, isBorrowed: boolean): void {
    this.#bytesReceived += chunk.byteLength;
    this.#keepAlive?.onReceived();
    if (this.#ignoresInput) return;
    this.#protocol.receive(chunk);
    this.#parse();
    if (isBorrowed && this.#protocol.bufferedBytes > 0) this.#retainAtEndOfTurn();
    this.#charge();
  }

  onAccepted(byteLength: number): void {
    // What follows our Close are Pongs at most, and the peer could ask for those without end.
    const mayProgress = this.#readyState === ReadyState.CLOSING && !this.#isCloseFlushed && !this.#isFinishing;
    if (mayProgress) this.#deadline?.restart();
    if (this.#pressure?.isBlocked === true) this.#pressure.noteMoved();
    this.#outbox.onAccepted(byteLength);
    if (this.#pressure?.isBlocked === true && !this.#outbox.isBlocked) this.#pressure.setBlocked(false);
    this.#noteCloseFlushed();
    this.#charge();
  }

  onEnd(): void {
    this.#hasInputEnded = true;
    this.#afterInput();
  }

  onClose(error: Error | null): void {
    this.#noteCloseFlushed();
    this.#isTransportClosed = true;
    this.#outbox.onTransportClosed();
    this.#pressure?.setBlocked(false);
    this.#deadline?.clear();
    this.#cause ??= error;
    // Data and perhaps a Close may stand unparsed behind a message that nobody has asked for yet; they come first (R9).
    // A broken transport, or a write that waits for it, cannot wait for a reader.
    this.#hasInputEnded = true;
    if (error !== null || this.#outbox.isMessagePending) this.#finish();
    else this.#afterInput();
    this.#watcher?.onTransportClosed();
  }

  // The keepalive's view and calls.

  /** Reading stands still because the application asks for nothing. */
  get isPaused(): boolean {
    return this.#isStalled || this.#isHeldByInflater;
  }

  get unsentBytes(): number {
    return this.#outbox.unsentBytes;
  }

  get acceptedBytes(): number {
    return this.#outbox.acceptedBytes;
  }

  sendPing(payload: Uint8Array): void {
    this.#outbox.sendPing(payload);
  }

  onVerdict(verdict: KeepaliveVerdict): void {
    const { closeCode, text, code, limit } = VERDICTS[verdict];
    this.#giveUp(closeCode, `${text} (${limit})`, code, limit);
  }

  // The outbox's calls.

  onOutboxError(error: unknown): void {
    this.#failInternally(error);
  }

  onOutboxDrained(): void {
    this.#sendRequestedClose();
  }

  onOutboxBlocked(): void {
    if (this.#isTransportClosed) return;
    this.#pressure ??= new PressureTimes(this.#clock);
    this.#pressure.setBlocked(true);
  }

  onOutboxUnblocked(): void {
    this.#pressure?.setBlocked(false);
  }

  /** A reader that keeps up has taken everything by then, and nothing needs to be copied. */
  #retainAtEndOfTurn(): void {
    if (this.#isRetentionScheduled) return;
    this.#isRetentionScheduled = true;
    this.#clock.endOfTurn(() => {
      this.#isRetentionScheduled = false;
      this.#protocol.retain();
    });
  }

  #startIdleTimeout(): IdleTimeout {
    const connection = this;
    return new IdleTimeout(this.#clock, this.#idleTimeoutMs, {
      get messages() {
        return connection.#messagesReceived + connection.#messagesSent;
      },
      get movingBytes() {
        const received = connection.#protocol.isInMessage ? connection.#bytesReceived : 0;
        return received + (connection.#outbox.isMessagePending ? connection.#outbox.acceptedBytes : 0);
      },
      get isUnread() {
        return connection.isPaused || connection.readerQueuedBytes > 0;
      },
      // RFC 6455 §7.4.1: 1001 is "going away"; it is what other servers send too.
      onIdle: (timeoutMs) => {
        const text = `no message for ${timeoutMs} ms (idleTimeoutMs)`;
        this.#giveUp(CloseCode.GOING_AWAY, text, "ERR_SLUICE_IDLE_TIMEOUT", "idleTimeoutMs");
      },
    });
  }

  #stopWatching(): void {
    this.#keepAlive?.stop();
    this.#idleTimeout?.stop();
  }

  /** Fails, for no fault in what the peer sent. @param text what the peer is told too: ASCII, at most 123 bytes */
  #giveUp(closeCode: number, text: string, code: string, limit: string): void {
    this.fail(closeCode, text, new ConnectionError(`The connection was given up: ${text}`, code, { limit }));
  }

  #parse(): void {
    if (this.#isParsing || !this.#isReading || this.#ignoresInput) return;
    if (this.#isHeldByInflater) {
      this.#updateFlow();
      return;
    }
    this.#isParsing = true;
    try {
      this.#parseWhileWanted();
    } catch (error) {
      this.#isStalled = false;
      if (error instanceof ProtocolError) this.fail(error.closeCode, wireReason(error.message), error);
      else this.#failInternally(error);
    } finally {
      this.#isParsing = false;
    }
    this.#afterInput();
  }

  #parseWhileWanted(): void {
    const protocol = this.#protocol;
    this.#isStalled = false;
    while (!this.#ignoresInput) {
      switch (protocol.next(this.#hasDemand || this.#isDiscarding)) {
        case ProtocolEvent.MESSAGE:
          this.#messagesReceived++;
          if (!this.#isDiscarding) this.#observer.onMessage(protocol.message, protocol.messageByteLength);
          break;
        case ProtocolEvent.NEED_DATA:
          return;
        case ProtocolEvent.STALLED:
          this.#isStalled = true;
          return;
        case ProtocolEvent.PING:
          // RFC 6455 §5.5.2: "MUST send a Pong frame in response, unless it already received a Close frame"
          this.#pingsReceived++;
          this.#outbox.sendPong(protocol.payload);
          break;
        case ProtocolEvent.PONG:
          this.#receivePong(protocol.payload);
          break;
        case ProtocolEvent.CLOSE:
          this.#receiveClose(protocol.closeCode, protocol.closeReason);
          return;
        case ProtocolEvent.PENDING:
          this.#waitForInflater(protocol.pending as Promise<void>);
          return;
      }
    }
  }

  #receivePong(payload: Uint8Array): void {
    const rttMs = this.#keepAlive?.onPong(payload) ?? null;
    if (rttMs !== null) this.#watcher?.onRoundTrip(rttMs);
  }

  #waitForInflater(pending: Promise<void>): void {
    this.#isHeldByInflater = true;
    const resume = (): void => {
      this.#isHeldByInflater = false;
      this.#parse();
    };
    // A failed inflation is thrown by the next `next()`, which knows its close code.
    pending.then(resume, resume);
  }

  /** Spec-digest 2.12. */
  #receiveClose(closeCode: number, reason: string): void {
    this.#receivedClose = { closeCode, reason };
    this.#readyState = transition(this.#readyState, "closeStarted");
    this.#isLost ||= this.#outbox.isMessagePending;
    this.#stopInput();
    this.#observer.onCloseStarted("remote");
    this.#outbox.drop(false);
    // RFC 6455 §5.5.1: "MUST send a Close frame in response"; code and reason are echoed (D-22).
    if (!this.#isCloseSent) this.#sendClose(closeCode === CloseCode.NO_STATUS_RECEIVED ? null : closeCode, reason);
    // RFC 6455 §7.1.1: the server closes first, so that it holds TIME_WAIT; the client waits for the FIN.
    if (this.#role === "server") {
      // A Pong that answers a Ping of the same packet still waits for the end of the turn.
      this.#outbox.flush();
      this.#transport.end();
    }
    this.#setDeadlineAfterBothCloses();
  }

  #setDeadlineAfterBothCloses(): void {
    if (!this.#isCloseFlushed) this.#setCloseDeadline();
    else this.#setDeadline(DEFAULT_LIMITS.tcpCloseTimeoutMs);
  }

  #setCloseDeadline(): void {
    this.#setDeadline(this.#closeTimeoutMs, () => {
      this.#cause ??= createCloseTimeoutError(this.#closeTimeoutMs);
      this.#transport.destroy();
    });
  }

  /** The transport is destroyed unless something moves until then. */
  #setDeadline(delayMs: number, onExpired: () => void = () => this.#transport.destroy()): void {
    this.#deadline ??= new Deadline(this.#clock);
    this.#deadline.set(delayMs, onExpired);
  }

  #sendRequestedClose(): void {
    const close = this.#requestedClose;
    if (close === null || this.#isCloseSent || this.#isTransportClosed || !this.#outbox.isDrained) return;
    this.#sendClose(close.closeCode, close.reason);
  }

  #sendClose(closeCode: number | null, reason: string): void {
    this.#isCloseSent = true;
    this.#outbox.sendClose(closeCode, reason);
    this.#closeEnd = this.#outbox.writtenBytes;
    this.#noteCloseFlushed();
  }

  #noteCloseFlushed(): void {
    if (this.#isCloseFlushed || !this.#isCloseSent || this.#isTransportClosed) return;
    if (this.#outbox.acceptedBytes < this.#closeEnd) return;
    this.#isCloseFlushed = true;
    if (this.#receivedClose !== null && !this.#isFinishing) this.#setDeadlineAfterBothCloses();
  }

  #stopInput(): void {
    this.#stopWatching();
    this.#ignoresInput = true;
    this.#isStalled = false;
    this.#isHeldByInflater = false;
  }

  /** Decides what follows once nothing more can be parsed: pause, go on reading, or the end of the connection. */
  #afterInput(): void {
    if (this.#isParsing) return;
    // A reader that takes message by message out of one chunk is charged once, when the chunk is used up.
    if (!this.#isStalled) this.#charge();
    if (!this.#hasInputEnded) {
      this.#updateFlow();
      return;
    }
    if (!this.#isReading || this.#isStalled || this.#isHeldByInflater) return;
    if (this.#isTransportClosed) this.#finish();
    // Both Close frames were exchanged and the peer ended its side: end ours (T02).
    else if (this.#receivedClose !== null) this.#transport.end();
    // C08: the stream of bytes ended without a Close frame.
    else this.#transport.destroy();
  }

  #charge(): void {
    const budget = this.#budget;
    if (budget === null) return;
    const isGone = this.#isGivenUp || this.#readyState === ReadyState.CLOSED;
    const held = this.#heldBytesIn + this.#outbox.heldBytes + this.readerQueuedBytes;
    const bytes = isGone ? 0 : held;
    const before = this.#chargedBytes;
    if (bytes === before) return;
    this.#chargedBytes = bytes;
    budget.charge(this, before, bytes);
  }

  /** The budget's call: it is used up, and this connection holds most for longest. */
  giveUp(): void {
    // What it holds is free before this call returns: it must not cost another connection its life meanwhile.
    this.#isGivenUp = true;
    this.#protocol.discard();
    this.#charge();
    const limit = "memoryBudgetBytes";
    this.#giveUp(
      CloseCode.TRY_AGAIN_LATER,
      `the memory budget is used up (${limit})`,
      "ERR_SLUICE_MEMORY_BUDGET",
      limit,
    );
    // The Close stands behind what the peer does not take; nobody waits for that, as it is charged no more.
    if (this.#outbox.unsentBytes > GIVEN_UP_BYTES) this.#transport.destroy();
  }

  /** The pause rule (R6). */
  #updateFlow(): void {
    if (!this.#isReading || this.#hasInputEnded || this.#isTransportClosed) return;
    const isFull = this.#isHeldByInflater && this.#protocol.bufferedBytes > DEFAULT_LIMITS.inputBufferBytes;
    const shouldPause = this.#isStalled || isFull;
    if (shouldPause === this.#isPaused) return;
    this.#isPaused = shouldPause;
    if (shouldPause) {
      this.#transport.pause();
      this.#pressure ??= new PressureTimes(this.#clock);
    } else this.#transport.resume();
    this.#pressure?.setPaused(shouldPause);
  }

  /** Our fault: the peer is told 1011 and no detail. */
  #failInternally(error: unknown): void {
    const cause = error instanceof Error ? error : new Error("The engine failed", { cause: error });
    this.fail(CloseCode.INTERNAL_ERROR, "", cause);
  }

  /** Spec-digest 2.13: runs once, in a task of its own. */
  #finish(): void {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    this.#stopWatching();
    if (!this.#hasFailed) this.#deadline?.clear();
    this.#clock.nextTask(() => {
      this.#readyState = transition(this.#readyState, "closed");
      this.#ignoresInput = true;
      this.#isLost ||= this.#outbox.isMessagePending;
      const result = this.#getResult();
      this.#observer.onClosed(result);
      this.#outbox.settleAll(false);
      this.#protocol.close();
      this.#charge();
      this.#endedAt = wholeMs(this.#clock);
      this.#pressure?.stop(this.#endedAt);
      this.#watcher?.onEnded(result);
    });
  }

  #getResult(): ConnectionResult {
    const received = this.#receivedClose;
    const isClean = received !== null && this.#isCloseFlushed && !this.#isLost && !this.#hasFailed;
    if (received === null || this.#hasFailed) {
      const closeCode = CloseCode.ABNORMAL_CLOSURE;
      const cause = this.#cause ?? new ConnectionError("It ended without a Close frame", "ERR_SLUICE_NO_CLOSE_FRAME");
      return { isClean, hasFailed: true, isCloseReceived: false, closeCode, reason: "", cause };
    }
    const cause = isClean ? null : (this.#cause ?? createClosedEarlyError(received.closeCode));
    return { isClean, hasFailed: false, isCloseReceived: true, ...received, cause };
  }
}

/**
 * What holds a peer back when the reader is slow: the transport's own window (TCP, HTTP/2); the browser's
 * `WebSocketStream`; the credit protocol; or nothing, which leaves a limit on what is buffered.
 */
export type FlowControl = "transport" | "native" | "credit" | "none";

/** What each side may still send, in bytes; at or below 0 it waits. */
export interface CreditAccounts {
  /** Ours. */
  readonly available: number;
  /** The peer's, by our count. */
  readonly granted: number;
  /** What we grant at most, as it is now. */
  readonly window: number;
}

export interface ConnectionOptions {
  readonly role: Role;
  readonly clock: Clock;
  /** Fills with bytes from a cryptographic source; masking keys come from it. */
  readonly fillRandom: (target: Uint8Array) => void;
  readonly utf8?: Utf8Codec | undefined;
  /** Set when permessage-deflate was negotiated. */
  readonly deflate?: PerMessageDeflateCodec | null | undefined;
  /** Largest message accepted, in bytes after inflating. @defaultValue 100 MiB */
  readonly maxMessageBytes?: number | undefined;
  /** Most fragments of a message, empty ones included. @defaultValue 131,072 */
  readonly maxFragments?: number | undefined;
  /** Most bytes that one byte of a compressed message may become. @defaultValue Infinity */
  readonly maxInflateRatio?: number | undefined;
  /** Whether small binary messages may share a buffer. @defaultValue "own" */
  readonly chunkBuffers?: "own" | "pooled" | undefined;
  /** Unsent bytes up to which a message counts as sent. @defaultValue 64 KiB */
  readonly sendLimitBytes?: number | undefined;
  /** How long the closing handshake may make no progress. @defaultValue 30,000 */
  readonly closeTimeoutMs?: number | undefined;
  /** Pings, and what follows from silence; see {@link KeepaliveOptions}. @defaultValue on */
  readonly keepAlive?: KeepaliveOptions | false | undefined;
  /** How long no message may move in either direction; see {@link IdleTimeout}. @defaultValue Infinity */
  readonly idleTimeoutMs?: number | undefined;
  /** What this connection holds is charged to it. @defaultValue none */
  readonly budget?: Budget | undefined;
  /** Told about what seldom happens. @defaultValue nobody */
  readonly watcher?: ConnectionWatcher | undefined;
  /** Whether `queuedBytes` is kept; costs a little per frame. @defaultValue false */
  readonly tracksQueuedBytes?: boolean | undefined;
}

/** One ordered sequence of notifications (spec-digest 4.7, L12): messages, onCloseStarted, onClosed. */
export interface ConnectionObserver {
  /** Payload bytes of messages that the observer has queued. */
  readonly queuedBytes?: number;
  /** A message, only while there is demand and the connection is not discarding. The observer takes back the demand itself. */
  onMessage(message: string | Uint8Array<ArrayBuffer>, byteLength: number): void;
  /** The connection became CLOSING (L1); "remote" if the peer's Close frame, in its place behind all messages, did it. */
  onCloseStarted(initiator: "local" | "remote"): void;
  /** The peer said that no message follows, while we may go on sending. Only below flow control, which has a word for it. */
  onInputEnd?(): void;
  /** Once, last, in a task of its own. Tickets that still wait are settled with false afterwards. */
  onClosed(result: ConnectionResult): void;
}

export interface ConnectionResult {
  /** Both Close frames were exchanged, ours was taken by the system, and no accepted message was lost (spec-digest 2.5). */
  readonly isClean: boolean;
  /** We had to fail the connection, or it was lost without a Close frame. */
  readonly hasFailed: boolean;
  readonly isCloseReceived: boolean;
  /** The peer's code, 1005 for none; 1006 if no Close was received or we failed. */
  readonly closeCode: number;
  readonly reason: string;
  readonly cause: Error | null;
}

/** Since the start of a connection; none of them ever goes back. Times are whole milliseconds. */
export interface ConnectionCounters {
  readonly messagesReceived: number;
  readonly messagesSent: number;
  /** Bytes read from and passed to the transport, framing included. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Pings of the peer. */
  readonly pingsReceived: number;
  /** Pings of the keepalive. */
  readonly pingsSent: number;
  /** Answers to them, one for each at most; other Pongs are not counted. */
  readonly pongsReceived: number;
  /** Milliseconds since the start, until the end: `inputPausedMs + inputWaitingMs`, and the sum of the three of the output. */
  readonly openMs: number;
  /** Milliseconds in which our own reader held input back; this and the next four as {@link PressureTimes} defines them. */
  readonly inputPausedMs: number;
  /** Milliseconds in which we were ready for what the peer and the network bring. */
  readonly inputWaitingMs: number;
  /** Milliseconds in which no message of ours had to wait. */
  readonly outputIdleMs: number;
  /** Milliseconds in which messages of ours waited while bytes flowed. */
  readonly outputNetworkMs: number;
  /** Milliseconds in which messages of ours waited and nothing was taken for more than a second. */
  readonly outputPeerMs: number;
}

export const NO_COUNTERS: ConnectionCounters = {
  messagesReceived: 0,
  messagesSent: 0,
  bytesReceived: 0,
  bytesSent: 0,
  pingsReceived: 0,
  pingsSent: 0,
  pongsReceived: 0,
  openMs: 0,
  inputPausedMs: 0,
  inputWaitingMs: 0,
  outputIdleMs: 0,
  outputNetworkMs: 0,
  outputPeerMs: 0,
};

/** Each verdict with its own close code, so that the peer's log tells them apart too. */
const VERDICTS: Record<KeepaliveVerdict, { closeCode: number; text: string; code: string; limit: string }> = {
  dead: {
    closeCode: CloseCode.INTERNAL_ERROR,
    text: "no answer to a Ping",
    code: "ERR_SLUICE_PEER_DEAD",
    limit: "keepAlive.timeoutMs",
  },
  stalled: {
    closeCode: CloseCode.POLICY_VIOLATION,
    text: "the peer does not read",
    code: "ERR_SLUICE_PEER_STALLED",
    limit: "keepAlive.stalledTimeoutMs",
  },
  paused: {
    closeCode: CloseCode.TRY_AGAIN_LATER,
    text: "the reader stood still",
    code: "ERR_SLUICE_READER_PAUSED",
    limit: "keepAlive.pausedTimeoutMs",
  },
};

/** What a connection that was given up may still hold: its Close frame, with what TLS makes of it. */
const GIVEN_UP_BYTES = 1024;

const NO_OBSERVER: ConnectionObserver = { onMessage() {}, onCloseStarted() {}, onClosed() {} };

function createClosedEarlyError(closeCode: number): ConnectionError {
  const text = `The peer closed with ${closeCode} before everything was sent`;
  return new ConnectionError(text, "ERR_SLUICE_CLOSED_EARLY");
}

/** Cuts our own diagnosis to what a Close frame can carry; all our texts are ASCII, so a unit is a byte. */
function wireReason(message: string): string {
  return message.replace(/[^\x20-\x7e]/g, "?").slice(0, 123);
}
