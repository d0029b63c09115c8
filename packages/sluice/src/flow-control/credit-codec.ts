/**
 * The flow control protocol of docs/flow-control.md: one side of one connection, without I/O.
 *
 * Wire messages go in by `receive()`, which charges them and keeps data; `next()` hands out one message when the reader
 * wants one, and only then is the peer's credit returned. `takeRecord()` gives control records, which need no credit and
 * never wait behind data; `takeData()` gives the message being sent, as far as the peer's credit reaches. The caller
 * empties both after each call that may have changed them: receive(), next(), send(), cut(), end().
 */
import type { CreditAccounts } from "../connection/connection.ts";
import { ProtocolError } from "../protocol/protocol-error.ts";
import {
  creditRecord,
  pingRecord,
  pongRecord,
  RECORD_END,
  RECORD_MARK_CODE,
  RECORD_WAITING,
  RecordKind,
} from "./control-record.ts";
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
import type { MessageCodec } from "./message-codec.ts";
import { MessageSplitter } from "./message-splitter.ts";
import { PieceAssembler } from "./piece-assembler.ts";
import { measurePiece, pieceMeasure } from "./utf8-length.ts";

/** What {@link CreditCodec.next} found. */
export const CreditEvent = { NEED_DATA: 0, MESSAGE: 1, END: 2 } as const;
export type CreditEvent = (typeof CreditEvent)[keyof typeof CreditEvent];

/** The close code for a peer that breaks the flow control protocol. */
export const FLOW_CONTROL_ERROR = 4009;

export interface CreditCodecOptions extends CreditWindowOptions {
  /** Longest message taken, in bytes, when it comes in pieces. @defaultValue 100 MiB */
  maxMessageBytes?: number | undefined;
  /** Most pieces of one message. @defaultValue 131,072 */
  maxPieces?: number | undefined;
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

  // Messages that nobody asked for yet. Three columns rather than one object per message; a head index rather than shift().
  #queue: (string | Uint8Array<ArrayBuffer>)[] = [];
  #costs: number[] = [];
  #byteLengths: number[] = [];
  #head = 0;
  #queuedBytes = 0;

  #assembler: PieceAssembler | null = null;
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
  #answer: string | null = null;

  /** @throws {RangeError} if a window is out of range */
  constructor(options: CreditCodecOptions = {}) {
    this.#receiver = new CreditReceiver(options);
    this.#splitter = new MessageSplitter(this.#sender);
    this.#maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
    this.#maxPieces = options.maxPieces ?? DEFAULT_MAX_PIECES;
  }

  /** Bytes that arrived and that the reader has not taken, payload only. */
  get queuedBytes(): number {
    return this.#queuedBytes + (this.#assembler?.byteLength ?? 0);
  }

  /** Whole messages that the reader has not taken. */
  get queuedMessages(): number {
    return this.#queue.length - this.#head;
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
    const byteLength = wireLength < 0 ? wireByteLength(wire) : wireLength;
    if (typeof wire !== "string" || wire.charCodeAt(0) !== RECORD_MARK_CODE) this.#receiveData(wire, byteLength, now);
    else if (wire.charCodeAt(1) === RecordKind.ESCAPED_TEXT) this.#receiveData(wire.slice(1), byteLength, now);
    else this.#receiveRecord(wire, now);
  }

  /**
   * One event. MESSAGE only when it is wanted; END when the peer has sent its last and all of it was handed out.
   *
   * A want stays until it is met, also when the answer is NEED_DATA.
   */
  next(isMessageWanted: boolean): CreditEvent {
    if (this.#head < this.#queue.length) {
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
    while (this.#head < this.#queue.length) this.#shift();
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

  /** Gives up the message being sent. */
  cut(): void {
    this.#splitter.cut();
  }

  /** No message follows. The peer's reader ends; its data still comes. */
  end(): void {
    this.#isEnding = true;
  }

  /** Asks the peer for an answer; a ping that was not taken yet is replaced. `token`: at most 32 characters. */
  ping(token: string): void {
    this.#ping = token;
  }

  /** The token of the last answer to a ping, once. */
  takeAnswer(): string | null {
    const answer = this.#answer;
    this.#answer = null;
    return answer;
  }

  /** The next control record to send, or null. Needs no credit. */
  takeRecord(): string | null {
    const grant = this.#receiver.takeGrant();
    if (grant > 0) return creditRecord(grant);
    if (this.#pong !== null) {
      const record = pongRecord(this.#pong);
      this.#pong = null;
      return record;
    }
    if (this.#ping !== null) {
      const record = pingRecord(this.#ping);
      this.#ping = null;
      return record;
    }
    return this.#sender.takeWaiting() ? RECORD_WAITING : null;
  }

  /** The next part of the message being sent, then the end of data; null when there is none or no credit. */
  takeData(): string | Uint8Array | null {
    if (this.#splitter.isBusy) return this.#splitter.take();
    if (!this.#isEnding) return null;
    this.#isEnding = false;
    return RECORD_END;
  }

  #shift(): void {
    const index = this.#head++;
    this.message = this.#queue[index];
    this.messageByteLength = this.#byteLengths[index];
    this.#queue[index] = "";
    this.#queuedBytes -= this.messageByteLength;
    this.#receiver.release(this.#costs[index]);
    // Empty is the usual case; else the spent half is cut off, which is constant work per message.
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#costs.length = 0;
      this.#byteLengths.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#costs.splice(0, this.#head);
      this.#byteLengths.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #push(message: string | Uint8Array<ArrayBuffer>, byteLength: number, cost: number): void {
    if (this.#isDiscarding) {
      this.#receiver.release(cost);
      return;
    }
    this.#queue.push(message);
    this.#byteLengths.push(byteLength);
    this.#costs.push(cost);
    this.#queuedBytes += byteLength;
  }

  #receiveData(data: string | Uint8Array<ArrayBuffer>, byteLength: number, now: number): void {
    if (this.#isPeerDone) throw flowError("Data after the end of data", "§6");
    if (byteLength > MAX_PIECE_BYTES) throw flowError(`Data message of ${byteLength} bytes`, "§4");
    if (!this.#receiver.charge(byteLength, now)) throw flowError("Data without credit", "§5");
    const cost = byteLength + PIECE_OVERHEAD;
    const payloadLength = typeof data === "string" && isEscaped(data) ? byteLength - 1 : byteLength;
    const assembler = this.#assembler;
    if (assembler === null) {
      this.#push(data, payloadLength, cost);
      return;
    }
    if (!assembler.accepts(data)) throw flowError("Text and binary pieces in one message", "§4");
    if (!assembler.append(this.#isDiscarding ? emptyLike(data) : data, payloadLength)) {
      throw new ProtocolError(1009, "Message is longer than the limit", {
        section: "flow-control.md §4",
        code: "ERR_SLUICE_MESSAGE_TOO_BIG",
        limit: "maxMessageBytes",
      });
    }
    this.#assemblyCost += cost;
    // A message that the reader waits for may be longer than the window: its pieces are paid back as they come.
    if (this.#isDiscarding || (this.#isWanted && this.#head === this.#queue.length)) this.#releaseAssembly();
  }

  #releaseAssembly(): void {
    this.#receiver.release(this.#assemblyCost);
    this.#assemblyCost = 0;
  }

  #receiveRecord(record: string, now: number): void {
    switch (record.charCodeAt(1)) {
      case RecordKind.CREDIT: {
        if (!this.#sender.addCredit(parseAmount(record))) throw flowError("Credit above 2147483647", "§5");
        return;
      }
      case RecordKind.BEGIN:
        if (this.#assembler !== null || this.#isPeerDone) throw flowError("Unexpected record B", "§4");
        this.#assembler = new PieceAssembler(this.#maxMessageBytes, this.#maxPieces);
        return;
      case RecordKind.FINISH:
        this.#finishAssembly();
        return;
      case RecordKind.ABANDON:
        if (this.#assembler === null) throw flowError("Unexpected record A", "§4");
        this.#assembler = null;
        this.#releaseAssembly();
        return;
      case RecordKind.END:
        if (this.#assembler !== null || this.#isPeerDone) throw flowError("Unexpected record E", "§6");
        this.#isPeerDone = true;
        return;
      case RecordKind.WAITING:
        this.#receiver.peerIsWaiting(this.#isWanted && this.#head === this.#queue.length, now);
        return;
      case RecordKind.PING:
        // RFC 6455 §5.5.3 of the protocol below us: only the latest needs an answer. So a flood of pings costs one slot.
        this.#pong = parseToken(record);
        return;
      case RecordKind.PONG:
        this.#answer = parseToken(record);
        return;
      default:
        if (!isExtensionKind(record.charCodeAt(1))) throw flowError("Unknown control record", "§3");
    }
  }

  #finishAssembly(): void {
    const assembler = this.#assembler;
    const message = assembler?.finish() ?? null;
    if (assembler === null || message === null) throw flowError("Unexpected record F", "§4");
    this.#assembler = null;
    const cost = this.#assemblyCost;
    this.#assemblyCost = 0;
    this.#push(message, assembler.byteLength, cost);
  }
}

function wireByteLength(wire: string | Uint8Array): number {
  if (typeof wire !== "string") return wire.byteLength;
  // UTF-8 is never shorter than the code units are many, so a longer text is over the limit whatever it holds.
  if (wire.length > MAX_PIECE_BYTES) return wire.length;
  measurePiece(wire, MAX_PIECE_BYTES);
  return pieceMeasure.codeUnits === wire.length ? pieceMeasure.byteLength : MAX_PIECE_BYTES + 1;
}

/** Text whose first mark was stripped still begins with one: that mark was data, its escape was not. */
function isEscaped(text: string): boolean {
  return text.charCodeAt(0) === RECORD_MARK_CODE;
}

function emptyLike(data: string | Uint8Array): string | Uint8Array {
  return typeof data === "string" ? "" : new Uint8Array(0);
}

function isExtensionKind(kind: number): boolean {
  return kind >= 0x61 && kind <= 0x7a;
}

function parseAmount(record: string): number {
  // At most ten digits, none of them a leading zero.
  const digits = record.length - 2;
  let amount = 0;
  if (digits < 1 || digits > 10 || record.charCodeAt(2) === 0x30) throw flowError("Malformed record C", "§5");
  for (let i = 2; i < record.length; i++) {
    const digit = record.charCodeAt(i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) throw flowError("Malformed record C", "§5");
    amount = amount * 10 + digit;
  }
  if (amount > MAX_CREDIT) throw flowError("Credit above 2147483647", "§5");
  return amount;
}

function parseToken(record: string): string {
  if (record.length - 2 > MAX_TOKEN_LENGTH) throw flowError("Token of a heartbeat is too long", "§7");
  return record.slice(2);
}

function flowError(text: string, section: string): ProtocolError {
  return new ProtocolError(FLOW_CONTROL_ERROR, text, {
    section: `flow-control.md ${section}`,
    code: "ERR_SLUICE_FLOW_CONTROL",
  });
}
