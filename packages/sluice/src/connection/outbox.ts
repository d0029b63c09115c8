import { DEFAULT_LIMITS } from "../protocol/limits.ts";
import { Opcode } from "../protocol/opcode.ts";
import type { Deflater } from "../protocol/permessage-deflate/codec.ts";
import type { WebSocketProtocol } from "../protocol/websocket-protocol.ts";
import type { ByteTransport } from "./byte-transport.ts";
import type { Clock } from "./clock.ts";
import { SendTicket } from "./send-ticket.ts";
import { UnsentPayload } from "./unsent-payload.ts";

/**
 * The sending half of a connection: messages in, frames out, never more than the send limit ahead of the system
 * (spec-digest 6.3).
 *
 * Messages queue here as jobs; the pump turns the first one into frames while the unsent bytes are below the limit (S2).
 * Small frames of a turn share one write, but for the first where they come one at a time; a large frame is written at once,
 * since only the system's answer tells whether the next may follow. Control frames go between two frames, limit or not (S5).
 */
export class Outbox {
  readonly #transport: ByteTransport;
  readonly #protocol: WebSocketProtocol;
  readonly #clock: Clock;
  readonly #deflater: Deflater | null;
  readonly #sendLimitBytes: number;
  readonly #owner: OutboxOwner;
  /** Messages not yet completely turned into frames. The first may be begun. Bounded by who calls `send`: a stream has one. */
  readonly #jobs: (SendJob | undefined)[] = [];
  #firstJob = 0;
  /** Tickets of messages whose frames are all written, waiting for the unsent bytes to fall (S3). */
  #waiting: SendTicket[] = [];
  /** Tickets of messages that were given up; they settle with the connection. */
  #dropped: SendTicket[] | null = null;
  #roomWaiters: ((isRoomy: boolean) => void)[] | null = null;
  /** Frames of broadcasts of this turn, which several connections send; whatever comes behind them flushes them first. */
  #shared: Uint8Array[] | null = null;
  #sharedBytes = 0;
  /** Blocks that the transport keeps, oldest first, and how much of the oldest is accepted. */
  readonly #inTransit: { bytes: Uint8Array; isShared: boolean }[] = [];
  #acceptedOfOldest = 0;
  #isFlushScheduled = false;
  /** Small frames of this turn. */
  #turnFrames = 0;
  /**
   * Whether the turn before had one of them at most: then the next one goes at once, as nothing is likely to follow it. Never
   * in the turn in which the connection starts, when a server's answer to the handshake still has to go first.
   */
  #isAlone = false;
  /** Bytes framed since the system last called us: a loop of writes that never leaves the microtasks must yield some time. */
  #turnBytes = 0;
  #isYielding = false;
  /** Position in the output, in bytes since the start, at which the newest Pong ends; -1 before the first. */
  #pongEnd = -1;
  #pendingPong: Uint8Array | null = null;
  #writtenBytes = 0;
  /** What waits in jobs: bytes, and code units of texts. */
  #queuedPayload = 0;
  /** Payload bytes of all messages, before compression. */
  #takenPayload = 0;
  readonly #unsentPayload: UnsentPayload | null;
  #isStopped = false;

  constructor(
    transport: ByteTransport,
    protocol: WebSocketProtocol,
    clock: Clock,
    owner: OutboxOwner,
    options: OutboxOptions,
  ) {
    this.#transport = transport;
    this.#protocol = protocol;
    this.#clock = clock;
    this.#deflater = options.deflater;
    this.#sendLimitBytes = options.sendLimitBytes;
    this.#owner = owner;
    this.#unsentPayload = options.tracksQueuedBytes ? new UnsentPayload() : null;
  }

  /** Encoded bytes that the system has not accepted (S1). */
  get unsentBytes(): number {
    return this.#encodedBytes + this.#transport.unsentBytes;
  }

  get #encodedBytes(): number {
    return this.#protocol.outputBytes + this.#sharedBytes;
  }

  /** Bytes held for sending: queued payload (of a text, its code units), encoded frames, and what the transport keeps. */
  get heldBytes(): number {
    return this.#queuedPayload + this.unsentBytes;
  }

  /** Payload bytes, as given, that the system has taken since the start; 0 unless `tracksQueuedBytes`. */
  get sentPayloadBytes(): number {
    return this.#unsentPayload?.releasedTotal ?? 0;
  }

  /**
   * Payload bytes, as given, that `send` took and the system has not; 0 unless `tracksQueuedBytes`. What is given up
   * stays counted: the standard's `bufferedAmount` does not fall by it.
   */
  get queuedBytes(): number {
    return this.#unsentPayload === null ? 0 : this.#takenPayload - this.#unsentPayload.releasedTotal;
  }

  /** Bytes passed to the transport since the start, framing included. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Whether every message was turned into frames. */
  get isDrained(): boolean {
    return this.#jobCount === 0;
  }

  get #jobCount(): number {
    return this.#jobs.length - this.#firstJob;
  }

  /** Whether a message is unfinished: not all framed, or somebody still waits for it. */
  get isMessagePending(): boolean {
    return this.#jobCount > 0 || this.#waiting.some((ticket) => ticket.onSettled !== null);
  }

  /** Bytes accepted by the system since the start. */
  get acceptedBytes(): number {
    return this.#writtenBytes - this.#transport.unsentBytes;
  }

  /** Queues one message; see `Connection.send`. */
  send(data: string | Uint8Array, compress: boolean): SendTicket | null {
    const deflater = this.#deflater;
    if (this.isRoomy && (deflater === null || !compress || !this.#mayDeflate(data))) {
      const byteLength = this.#sendNow(data);
      if (byteLength >= 0) return this.#createTicketUnlessSent(byteLength);
    }
    return this.#queue(data, compress);
  }

  /**
   * Sends a message that is framed already, with memory that other connections send too (a broadcast). Only a server's
   * frames are the same for all, since a client masks.
   *
   * @returns as `send`
   */
  sendShared(frame: SharedFrame): SendTicket | null {
    if (!this.isRoomy) return this.#queue(frame.payload, false, frame.opcode);
    const { bytes, payload } = frame;
    // What was encoded before goes first.
    if (this.#protocol.outputBytes > 0) this.flush();
    this.#shared ??= [];
    this.#shared.push(bytes);
    this.#sharedBytes += bytes.byteLength;
    this.#takenPayload += payload.byteLength;
    this.#unsentPayload?.add(this.#writtenBytes + this.#encodedBytes, payload.byteLength);
    this.#noteEncoded(bytes.byteLength);
    if (this.#sharedBytes >= SHARED_FLUSH_BYTES) this.flush();
    else this.#scheduleFlush();
    return this.#createTicketUnlessSent(payload.byteLength);
  }

  /** @returns null if a message that is encoded counts as sent (S3) */
  #createTicketUnlessSent(byteLength: number): SendTicket | null {
    if (!this.#isYielding && this.unsentBytes <= this.#sendLimitBytes) return null;
    const ticket = new SendTicket(byteLength);
    this.#waiting.push(ticket);
    if (this.isBlocked) this.#owner.onOutboxBlocked();
    return ticket;
  }

  /** Whether a message would go out at once: none waits in front of it, and the unsent bytes are below the limit. */
  get isRoomy(): boolean {
    return this.#jobCount === 0 && this.#hasRoom;
  }

  /** Whether so much is unsent that a message has to wait. */
  get isBlocked(): boolean {
    return !this.#hasRoom;
  }

  /** Calls back once {@link isRoomy}; with false if the connection ends before. */
  onRoomy(callback: (isRoomy: boolean) => void): void {
    this.#roomWaiters ??= [];
    this.#roomWaiters.push(callback);
  }

  /**
   * Answers a Ping: each one while the output has room; when it is backed up, one Pong at a time, and of the Pings that come
   * meanwhile only the newest (P02), so that a flood to a peer that reads nothing is bounded.
   */
  sendPong(payload: Uint8Array): void {
    if (this.#mayWritePong) this.#writePong(payload);
    else this.#pendingPong = payload;
  }

  get #mayWritePong(): boolean {
    return this.#hasRoom || this.#pongEnd <= this.acceptedBytes;
  }

  sendPing(payload: Uint8Array): void {
    this.#flushShared();
    this.#protocol.sendPing(payload);
    this.#scheduleFlush();
  }

  /** Writes the Close frame at once, behind the frame in progress; nothing is sent afterwards. */
  sendClose(closeCode: number | null, reason: string): void {
    this.#pendingPong = null;
    this.#isStopped = true;
    this.#flushShared();
    this.#protocol.sendClose(closeCode, reason);
    this.flush();
  }

  /**
   * Gives up the messages that are not completely framed (S8, "cut").
   *
   * @param keepsFirst lets a message that has begun go on (D-14)
   */
  drop(keepsFirst: boolean): void {
    const dropped = this.#jobs.splice(this.#firstJob + (keepsFirst ? 1 : 0)) as SendJob[];
    for (const job of dropped) {
      this.#queuedPayload -= job.end - job.start;
      job.deflation = "dropped";
      this.#dropped ??= [];
      this.#dropped.push(job.ticket);
    }
  }

  /** Tells those whose messages were given up. */
  settleDropped(): void {
    const dropped = this.#dropped;
    this.#dropped = null;
    for (const ticket of dropped ?? []) ticket.settle(false);
  }

  /** Ends the waiting of every ticket and of everybody who waits for room; after the connection is closed. */
  settleAll(isSent: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const ticket of waiting) ticket.settle(isSent);
    this.drop(false);
    this.settleDropped();
    this.#tellRoomWaiters(false);
  }

  /** The system accepted bytes that it had not taken at once. */
  onAccepted(byteLength: number): void {
    this.#turnBytes = 0;
    this.#unsentPayload?.release(this.acceptedBytes);
    this.#acceptedOfOldest += byteLength;
    while (this.#inTransit.length > 0) {
      const { bytes, isShared } = this.#inTransit[0] as { bytes: Uint8Array; isShared: boolean };
      if (this.#acceptedOfOldest < bytes.byteLength) break;
      this.#acceptedOfOldest -= bytes.byteLength;
      this.#inTransit.shift();
      if (!isShared) this.#protocol.recycle(bytes);
    }
    this.advance();
  }

  /** The transport is gone, and reads nothing any more: what it kept serves other connections. */
  onTransportClosed(): void {
    for (const { bytes, isShared } of this.#inTransit.splice(0)) if (!isShared) this.#protocol.recycle(bytes);
  }

  /** Does what has become possible: the pending Pong, the next frames, settled tickets. */
  advance(): void {
    const pong = this.#pendingPong;
    if (pong !== null && this.#mayWritePong) {
      this.#pendingPong = null;
      this.#writePong(pong);
    }
    this.#pump();
    this.#settleWaiting();
  }

  /** Hands everything encoded to the transport. */
  flush(): void {
    this.#flushShared();
    this.#flushOwn();
  }

  #flushOwn(): void {
    for (let block = this.#protocol.takeOutput(); block !== null; block = this.#protocol.takeOutput()) {
      this.#writtenBytes += block.byteLength;
      if (this.#transport.write(block)) this.#protocol.recycle(block);
      else this.#inTransit.push({ bytes: block, isShared: false });
    }
    this.#unsentPayload?.release(this.acceptedBytes);
  }

  /** One alone goes as it is; several are copied together, as a call of the system costs more than 16 KiB of copying. */
  #flushShared(): void {
    if (this.#sharedBytes === 0) return;
    const frames = this.#shared as Uint8Array[];
    this.#shared = null;
    this.#sharedBytes = 0;
    if (frames.length > 1) {
      for (const frame of frames) this.#protocol.sendEncoded(frame);
      this.#flushOwn();
      return;
    }
    const [bytes] = frames as [Uint8Array];
    this.#writtenBytes += bytes.byteLength;
    if (!this.#transport.write(bytes)) this.#inTransit.push({ bytes, isShared: true });
    this.#unsentPayload?.release(this.acceptedBytes);
  }

  /** With a limit of 0, "room" means that the system has accepted everything. */
  get #hasRoom(): boolean {
    const unsentBytes = this.unsentBytes;
    return unsentBytes < this.#sendLimitBytes || unsentBytes === 0;
  }

  #mayDeflate(data: string | Uint8Array): boolean {
    // A string is at least as many bytes as it has units; the exact length is known after encoding.
    const byteLength = typeof data === "string" ? data.length * 3 : data.byteLength;
    return (this.#deflater as Deflater).shouldDeflate(byteLength);
  }

  #shouldDeflate(data: string | Uint8Array, byteLength: number): boolean {
    const deflater = this.#deflater;
    return deflater?.shouldDeflate(byteLength) === true && (deflater.filter?.(data) ?? true);
  }

  /** Frames a message that fits one frame, without a job. @returns its payload bytes, or -1 if it needs the queue */
  #sendNow(data: string | Uint8Array): number {
    let byteLength: number;
    this.#flushShared();
    if (typeof data === "string") {
      if (data.length > MAX_SHORT_TEXT) return -1;
      byteLength = this.#protocol.sendShortText(data);
    } else {
      byteLength = data.byteLength;
      if (byteLength > DEFAULT_LIMITS.maxFrameBytes) return -1;
      this.#protocol.sendFrame(Opcode.BINARY, true, false, data, 0, byteLength);
    }
    this.#takenPayload += byteLength;
    this.#noteFrame(byteLength, byteLength);
    return byteLength;
  }

  #queue(data: string | Uint8Array, compress: boolean, opcode?: Opcode): SendTicket | null {
    const isText = typeof data === "string";
    const mayDeflate = compress && this.#deflater !== null && this.#mayDeflate(data);
    // A text that is not compressed is encoded frame by frame, each in its turn.
    const content = isText && mayDeflate ? this.#protocol.encodeText(data) : data;
    const byteLength = this.#byteLengthOf(content);
    const shouldDeflate = mayDeflate && this.#shouldDeflate(data, byteLength);
    const ticket = new SendTicket(byteLength);
    const job: SendJob = {
      opcode: opcode ?? (isText ? Opcode.TEXT : Opcode.BINARY),
      content,
      start: 0,
      end: content.length,
      isBegun: false,
      isCompressed: false,
      deflation: shouldDeflate ? "wanted" : "none",
      ticket,
    };
    this.#queuedPayload += job.end;
    this.#takenPayload += byteLength;
    this.#jobs.push(job);
    // A compressor may read its input later, so it gets memory of its own.
    if (shouldDeflate && !isText) job.content = data.slice();
    this.#pump();
    if (job.start < job.end && !isText && job.content === data && opcode === undefined) {
      // What is left is copied now, as the caller may change its buffer after this call. Nobody changes a broadcast's.
      job.content = data.slice(job.start);
      job.end -= job.start;
      job.start = 0;
    }
    this.#settleWaiting();
    return ticket.isSettled ? null : ticket;
  }

  /** Counting the bytes of a text is a pass over it, for those who want to know. */
  #byteLengthOf(content: string | Uint8Array): number {
    if (typeof content !== "string") return content.byteLength;
    return this.#unsentPayload === null ? 0 : this.#protocol.byteLengthOf(content);
  }

  #pump(): void {
    for (
      let job = this.#jobs[this.#firstJob];
      job !== undefined && !this.#isStopped;
      job = this.#jobs[this.#firstJob]
    ) {
      if (!this.#hasRoom) {
        this.#owner.onOutboxBlocked();
        return;
      }
      if (job.deflation === "wanted") this.#deflate(job);
      if (job.deflation === "running") return;
      this.#sendNextFrame(job);
      if (job.start === job.end) {
        this.#shiftJob();
        this.#waiting.push(job.ticket);
        if (this.isBlocked) this.#owner.onOutboxBlocked();
        if (this.isDrained) this.#owner.onOutboxDrained();
      }
    }
  }

  /** A queue of the legacy class may be long: shifting an array of many thousands moves all of them each time. */
  #shiftJob(): void {
    this.#jobs[this.#firstJob++] = undefined;
    if (this.#firstJob === this.#jobs.length) this.#jobs.length = this.#firstJob = 0;
    else if (this.#firstJob >= 1024 && this.#firstJob * 2 >= this.#jobs.length) {
      this.#jobs.splice(0, this.#firstJob);
      this.#firstJob = 0;
    }
  }

  #sendNextFrame(job: SendJob): void {
    this.#flushShared();
    const { content, start } = job;
    const opcode = job.isBegun ? Opcode.CONTINUATION : job.opcode;
    let byteLength: number;
    if (typeof content === "string") {
      const { read, written } = this.#protocol.sendTextPart(opcode, content, start);
      byteLength = written;
      job.start += read;
    } else {
      const end = Math.min(job.end, start + DEFAULT_LIMITS.maxFrameBytes);
      this.#protocol.sendFrame(opcode, end === job.end, job.isCompressed && !job.isBegun, content, start, end);
      byteLength = end - start;
      job.start = end;
    }
    this.#queuedPayload -= job.start - start;
    job.isBegun = true;
    // What a compressed message held before is counted with its last frame.
    const ofMessage = job.start === job.end ? job.ticket.byteLength : 0;
    this.#noteFrame(byteLength, job.isCompressed ? ofMessage : byteLength);
  }

  #noteFrame(payloadLength: number, uncompressedLength: number): void {
    this.#unsentPayload?.add(this.#writtenBytes + this.#protocol.outputBytes, uncompressedLength);
    this.#noteEncoded(payloadLength);
    if (this.#protocol.hasFullBlock || payloadLength >= LARGE_FRAME_BYTES) {
      this.flush();
      return;
    }
    // A round trip with one message in flight takes a tenth less.
    if (++this.#turnFrames === 1 && this.#isAlone) this.flush();
    this.#scheduleFlush();
  }

  #noteEncoded(byteLength: number): void {
    this.#turnBytes += byteLength + FRAME_COST;
    if (this.#turnBytes > TURN_BUDGET_BYTES) this.#yield();
  }

  #deflate(job: SendJob): void {
    job.deflation = "running";
    let result: Uint8Array | null | Promise<Uint8Array | null>;
    try {
      result = (this.#deflater as Deflater).deflate(job.content as Uint8Array);
    } catch (error) {
      this.#owner.onOutboxError(error);
      return;
    }
    if (result instanceof Promise) {
      result.then(
        (output) => {
          this.#setDeflated(job, output);
          this.advance();
        },
        (error: unknown) => this.#owner.onOutboxError(error),
      );
    } else {
      this.#setDeflated(job, result);
    }
  }

  /** @param output null: compressing would not make the message smaller, so it goes as it is */
  #setDeflated(job: SendJob, output: Uint8Array | null): void {
    if (job.deflation === "dropped") return;
    job.deflation = "none";
    if (output === null) return;
    this.#queuedPayload += output.byteLength - job.end;
    job.content = output;
    job.end = output.byteLength;
    job.isCompressed = true;
  }

  #writePong(payload: Uint8Array): void {
    this.#flushShared();
    this.#protocol.sendPong(payload);
    this.#pongEnd = this.#writtenBytes + this.#protocol.outputBytes;
    if (this.#protocol.hasFullBlock) this.flush();
    else this.#scheduleFlush();
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    // A function that is kept in a field survives collections of the young generation, and with it all of the connection.
    this.#clock.endOfTurn(() => this.#flushTurn());
  }

  #flushTurn(): void {
    this.#isFlushScheduled = false;
    this.#isAlone = this.#turnFrames <= 1;
    this.#turnFrames = 0;
    this.flush();
    if (this.#waiting.length > 0 || this.#jobCount > 0 || this.#pendingPong !== null) this.advance();
  }

  #yield(): void {
    if (this.#isYielding) return;
    this.#isYielding = true;
    this.#clock.nextTask(() => {
      this.#isYielding = false;
      this.#turnBytes = 0;
      this.advance();
    });
  }

  #tellRoomWaiters(isRoomy: boolean): void {
    const waiters = this.#roomWaiters ?? [];
    this.#roomWaiters = null;
    for (const callback of waiters) callback(isRoomy);
  }

  #settleWaiting(): void {
    if (this.#roomWaiters !== null && this.isRoomy) this.#tellRoomWaiters(true);
    if (this.#waiting.length === 0 || this.#isYielding || this.unsentBytes > this.#sendLimitBytes) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    // First, as who is told may send more at once.
    this.#owner.onOutboxUnblocked();
    for (const ticket of waiting) ticket.settle(true);
  }
}

export interface OutboxOptions {
  readonly sendLimitBytes: number;
  readonly deflater: Deflater | null;
  readonly tracksQueuedBytes: boolean;
}

/** Whose outbox it is. */
export interface OutboxOwner {
  /** The compressor broke: our fault, the connection cannot go on. */
  onOutboxError(error: unknown): void;
  /** The last queued message was framed. */
  onOutboxDrained(): void;
  /** A message has to wait until the system takes something. */
  onOutboxBlocked(): void;
  /** What waited for the system waits no longer. Comes without a block before it too. */
  onOutboxUnblocked(): void;
}

/** A message framed once for many connections. */
export interface SharedFrame {
  readonly message: string | Uint8Array;
  readonly payload: Uint8Array;
  readonly opcode: Opcode;
  /** Header and payload, unmasked and not compressed. */
  readonly bytes: Uint8Array;
}

interface SendJob {
  readonly opcode: Opcode;
  /** A text is encoded when it is framed; compression needs it encoded before. */
  content: string | Uint8Array;
  /** What is framed of the content, and all of it: in code units of a text, else in bytes. */
  start: number;
  end: number;
  isBegun: boolean;
  isCompressed: boolean;
  deflation: "none" | "wanted" | "running" | "dropped";
  readonly ticket: SendTicket;
}

/** Longest text, in UTF-16 units, that fits one frame whatever it takes in UTF-8: up to 3 bytes for each. */
const MAX_SHORT_TEXT = Math.floor(DEFAULT_LIMITS.maxFrameBytes / 3);

/**
 * A frame of this size is written at once: it fills a block, and the system's answer decides whether the next may follow.
 * At 16 KiB, four messages of that size in one write instead of four move 1.15 times as many.
 */
const LARGE_FRAME_BYTES = 65_536;

/** So much of broadcasts of one turn is written together. */
const SHARED_FLUSH_BYTES = 65_536;

/** After so many bytes without a call from the system the sender yields, so that reads, timers and pings get their turn. */
const TURN_BUDGET_BYTES = 1_048_576;

/** What a frame costs against the turn's budget beyond its payload, so that floods of empty messages yield too. */
const FRAME_COST = 32;
