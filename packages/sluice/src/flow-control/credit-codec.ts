/**
 * The flow control protocol of docs/flow-control.md: one side of one connection, without I/O.
 *
 * Wire messages go in by `receive()`, which charges them and keeps data; `next()` hands out one message when the reader
 * wants one, and only then is the peer's credit returned. `takeRecord()` gives control records, which need no credit and
 * never wait behind data; `takeData()` gives the message being sent, as far as the peer's credit reaches. The caller
 * empties both after each call that may have changed them: receive(), next(), send(), end().
 */
import type { CreditAccounts } from "../connection/connection.ts";
import { ProtocolError } from "../protocol/protocol-error.ts";
import { createRecord, hasMark, RECORD_MARK, RecordKind } from "./control-record.ts";
import { CreditReceiver, type CreditWindowOptions } from "./credit-receiver.ts";
import { CreditSender } from "./credit-sender.ts";
import {
  DEFAULT_MAX_MESSAGE_BYTES,
  DEFAULT_MAX_PIECES,
  MAX_CREDIT,
  MAX_PIECE_BYTES,
  MAX_TOKEN_LENGTH,
  PIECE_OVERHEAD,
} from "./flow-limits.ts";
import { joinPieces } from "./join-pieces.ts";
import type { MessageCodec } from "./message-codec.ts";
import { MessageQueue } from "./message-queue.ts";
import { MessageSplitter } from "./message-splitter.ts";
import { measurePiece, pieceMeasure } from "./utf8-length.ts";

/** What {@link CreditCodec.next} found. */
export const CreditEvent = { NEED_DATA: 0, MESSAGE: 1, END: 2 } as const;
export type CreditEvent = (typeof CreditEvent)[keyof typeof CreditEvent];

/** So many pieces in a row are joined: a small one, or an empty one, takes 200 bytes of memory besides its own. */
const JOINED_PIECES = 1_000;

/** The close code for a peer that breaks the flow control protocol. */
export const FLOW_CONTROL_ERROR = 4009;

export interface CreditCodecOptions extends CreditWindowOptions {
  /** Longest message taken, in bytes, when it comes in pieces. @defaultValue 100 MiB */
  maxMessageBytes?: number | undefined;
  /** Most pieces of one message. @defaultValue 131,072 */
  maxPieces?: number | undefined;
  /**
   * The window grows if the peer had no credit, and sent nothing for so long, while the reader waited. 0: also where the
   * peer is near, and the engine in between is what needs a longer queue. @defaultValue 4
   */
  growthIdleMs?: number | undefined;
}

export class CreditCodec implements MessageCodec {
  /** Credit is what limits the peer: whatever it sends is taken at once. */
  readonly wantsInput: boolean = true;
  /** The message of the last {@link CreditEvent.MESSAGE}. Binary: a buffer of its own. */
  message: string | Uint8Array<ArrayBuffer> = "";
  /** Its payload bytes. */
  messageByteLength = 0;

  readonly #maxMessageBytes: number;
  readonly #maxPieces: number;
  readonly #sender: CreditSender = new CreditSender();
  readonly #receiver: CreditReceiver;
  readonly #splitter: MessageSplitter;

  /** Messages that nobody asked for yet. */
  readonly #queue: MessageQueue = new MessageQueue();
  /** Pieces of the message in assembly, how many came, and their payload bytes. */
  #pieces: (string | Uint8Array)[] | null = null;
  #pieceCount = 0;
  #assemblyBytes = 0;
  /** Cost of the pieces in assembly that was not returned. */
  #assemblyCost = 0;
  /** The reader waits for the message that is in assembly, or for the next to come: its cost is returned as it arrives. */
  #isWanted = false;

  #isPeerDone = false;
  #isPeerDoneTold = false;
  #isDiscarding = false;
  #isEnding = false;
  #ping: string | null = null;
  #pong: string | null = null;

  /** @throws {RangeError} if a window is out of range */
  constructor(options: CreditCodecOptions = {}) {
    this.#receiver = new CreditReceiver(options);
    this.#splitter = new MessageSplitter(this.#sender);
    this.#maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
    this.#maxPieces = options.maxPieces ?? DEFAULT_MAX_PIECES;
  }

  /** Bytes that arrived and that the reader has not taken, payload only. */
  get queuedBytes(): number {
    return this.#queue.totalBytes + this.#assemblyBytes;
  }

  /** Whole messages that the reader has not taken. */
  get queuedMessages(): number {
    return this.#queue.length;
  }

  get accounts(): CreditAccounts {
    return { available: this.creditBytes, granted: this.grantedBytes, window: this.#receiver.windowBytes };
  }

  /** What the peer may still send, in bytes; at or below zero it waits. */
  get grantedBytes(): number {
    return this.#receiver.balance;
  }

  /** What we may still send, in bytes; at or below zero we wait. */
  get creditBytes(): number {
    return this.#sender.balance;
  }

  /** Whether the message given to {@link send} is not wholly taken. */
  get isSending(): boolean {
    return this.#splitter.isBusy;
  }

  /**
   * Takes one wire message.
   *
   * @param wire text or binary, as it came. Binary is kept, not copied: it must be a buffer of its own.
   * @param now milliseconds, any origin, never going back
   * @param wireLength the payload bytes of `wire`; negative where the caller does not know them
   * @throws {ProtocolError} 4009 if the peer broke the protocol, 1009 if a message is too long
   */
  receive(wire: string | Uint8Array<ArrayBuffer>, now: number, wireLength: number = -1): void {
    const isText = typeof wire === "string";
    if (isText && hasMark(wire) && wire[1] !== RECORD_MARK) {
      this.#receiveRecord(wire, now);
      return;
    }
    const isEscaped = isText && hasMark(wire);
    let byteLength = wireLength;
    if (byteLength < 0) byteLength = isText ? wireTextLength(wire) : wire.length;
    if (isEscaped) this.#receiveData(wire.slice(1), byteLength, byteLength - 1, now);
    else this.#receiveData(wire, byteLength, byteLength, now);
  }

  /**
   * One event. MESSAGE only when it is wanted; END when the peer has sent its last and all of it was handed out.
   *
   * A want stays until it is met, also when the answer is NEED_DATA.
   */
  next(isMessageWanted: boolean): CreditEvent {
    if (this.#queue.length > 0) {
      if (!isMessageWanted) return CreditEvent.NEED_DATA;
      this.#shift();
      this.#isWanted = false;
      return CreditEvent.MESSAGE;
    }
    if (this.#isPeerDone && !this.#isPeerDoneTold) {
      this.#isPeerDoneTold = true;
      return CreditEvent.END;
    }
    this.#isWanted = isMessageWanted;
    if (isMessageWanted) this.#releaseAssembly();
    return CreditEvent.NEED_DATA;
  }

  /** From now on data is counted, checked and dropped, and what is queued goes too: the peer is never held up. */
  discard(): void {
    this.#isDiscarding = true;
    while (this.#queue.length > 0) this.#shift();
    this.message = "";
    this.#releaseAssembly();
  }

  /** Starts a message. {@link isSending} must be false. Bytes are not copied before {@link retain}. */
  send(message: string | Uint8Array): void {
    this.#splitter.start(message);
  }

  /** Copies what is still to be sent out of the caller's memory. */
  retain(): void {
    this.#splitter.retain();
  }

  /** No message follows. The peer's reader ends; its data still comes. */
  end(): void {
    this.#isEnding = true;
  }

  /** Asks the peer for an answer; a ping that was not taken yet is replaced. `token`: at most 32 characters. */
  ping(token: string): void {
    this.#ping = token;
  }

  /** The next control record to send, or null. Needs no credit. */
  takeRecord(): string | null {
    const grant = this.#receiver.takeGrant();
    if (grant > 0) return createRecord(RecordKind.CREDIT, grant);
    const pong = this.#pong;
    this.#pong = null;
    if (pong !== null) return createRecord(RecordKind.PONG, pong);
    const ping = this.#ping;
    this.#ping = null;
    if (ping !== null) return createRecord(RecordKind.PING, ping);
    return this.#sender.takeWaiting() ? createRecord(RecordKind.WAITING) : null;
  }

  /** The next part of the message being sent, then the end of data; null when there is none or no credit. */
  takeData(): string | Uint8Array | null {
    if (this.#splitter.isBusy) return this.#splitter.take();
    if (!this.#isEnding) return null;
    this.#isEnding = false;
    return createRecord(RecordKind.END);
  }

  #shift(): void {
    this.message = this.#queue.shift();
    this.messageByteLength = this.#queue.byteLength;
    this.#receiver.release(this.#queue.cost);
  }

  #push(message: string | Uint8Array<ArrayBuffer>, byteLength: number, cost: number): void {
    if (this.#isDiscarding) this.#receiver.release(cost);
    else this.#queue.push(message, byteLength, cost);
  }

  #receiveData(data: string | Uint8Array<ArrayBuffer>, wireLength: number, byteLength: number, now: number): void {
    if (this.#isPeerDone) throw flowError("Data after the end");
    if (wireLength > MAX_PIECE_BYTES) throw flowError("Data message is too long");
    if (!this.#receiver.charge(wireLength, now)) throw flowError("Data without credit");
    const cost = wireLength + PIECE_OVERHEAD;
    const pieces = this.#pieces;
    if (pieces === null) {
      this.#push(data, byteLength, cost);
      return;
    }
    if (typeof data !== typeof (pieces[0] ?? data)) throw flowError("Pieces of both types");
    // Counted before it is kept.
    this.#assemblyBytes += byteLength;
    if (this.#assemblyBytes > this.#maxMessageBytes || this.#pieceCount === this.#maxPieces)
      throw new ProtocolError(1009, "Message is too long", {
        section: "flow-control.md §8",
        code: "ERR_SLUICE_MESSAGE_TOO_BIG",
        limit: "maxMessageBytes",
      });
    pieces.push(this.#isDiscarding ? data.slice(0, 0) : data);
    if (++this.#pieceCount % JOINED_PIECES === 0) pieces.push(joinPieces(pieces.splice(-JOINED_PIECES) as string[]));
    this.#assemblyCost += cost;
    // A message that the reader waits for may be longer than the window: its pieces are paid back as they come.
    if (this.#isDiscarding || this.#isIdle) this.#releaseAssembly();
  }

  /** Whether the reader waits, nothing being in front of what comes. */
  get #isIdle(): boolean {
    return this.#isWanted && this.#queue.length === 0;
  }

  #releaseAssembly(): void {
    this.#receiver.release(this.#assemblyCost);
    this.#assemblyCost = 0;
  }

  #receiveRecord(record: string, now: number): void {
    const content = record.slice(2);
    const kind = record.charAt(1);
    switch (kind) {
      case RecordKind.CREDIT:
        // No zero, no leading zero; ten digits are more than the limit has.
        if (!/^[1-9]\d{0,9}$/.test(content) || Number(content) > MAX_CREDIT || !this.#sender.addCredit(Number(content)))
          throw flowError("Invalid credit");
        return;
      case RecordKind.BEGIN:
        this.#checkPlace(kind, this.#pieces === null && !this.#isPeerDone);
        this.#pieces = [];
        this.#pieceCount = 0;
        return;
      case RecordKind.FINISH:
        this.#finishAssembly(kind);
        return;
      case RecordKind.ABANDON:
        this.#checkPlace(kind, this.#pieces !== null);
        this.#pieces = null;
        this.#assemblyBytes = 0;
        this.#releaseAssembly();
        return;
      case RecordKind.END:
        this.#checkPlace(kind, this.#pieces === null && !this.#isPeerDone);
        this.#isPeerDone = true;
        return;
      case RecordKind.WAITING:
        this.#receiver.peerIsWaiting(this.#isIdle, now);
        return;
      case RecordKind.PING:
        // RFC 6455 §5.5.3 of the protocol below us: only the latest needs an answer. So a flood of pings costs one slot.
        this.#pong = checkToken(content);
        return;
      case RecordKind.PONG:
        checkToken(content);
        return;
      default:
        // Small letters are left for later versions.
        this.#checkPlace(kind, /[a-z]/.test(kind));
    }
  }

  #finishAssembly(kind: RecordKind): void {
    const pieces = this.#pieces;
    const byteLength = this.#assemblyBytes;
    this.#checkPlace(kind, pieces !== null && pieces.length > 0);
    this.#pieces = null;
    this.#assemblyBytes = 0;
    const cost = this.#assemblyCost;
    this.#assemblyCost = 0;
    this.#push(this.#isDiscarding ? "" : joinPieces(pieces as string[]), byteLength, cost);
  }

  #checkPlace(kind: string, isExpected: boolean): void {
    if (!isExpected) throw flowError(`Unexpected record ${kind}`);
  }
}

/** Above the limit it does not matter by how much. */
function wireTextLength(text: string): number {
  measurePiece(text, MAX_PIECE_BYTES);
  return pieceMeasure.codeUnits < text.length ? Number.POSITIVE_INFINITY : pieceMeasure.byteLength;
}

function checkToken(token: string): string {
  if (token.length > MAX_TOKEN_LENGTH) throw flowError("Token is too long");
  return token;
}

function flowError(text: string): ProtocolError {
  return new ProtocolError(FLOW_CONTROL_ERROR, text, {
    section: "flow-control.md §8",
    code: "ERR_SLUICE_FLOW_CONTROL",
  });
}
