import { createRecord, hasMark, RECORD_MARK, RecordKind } from "./control-record.ts";
import type { CreditSender } from "./credit-sender.ts";
import { MAX_PIECE_BYTES } from "./flow-limits.ts";
import { measurePiece, pieceMeasure } from "./utf8-length.ts";

/** Turns one message into data messages: itself if it fits, else B, pieces, F. */
export class MessageSplitter {
  readonly #credit: CreditSender;
  #message: string | Uint8Array | null = null;
  #offset = 0;
  #hasBegun = false;

  constructor(credit: CreditSender) {
    this.#credit = credit;
  }

  /** Whether a message is not wholly taken yet. */
  get isBusy(): boolean {
    return this.#message !== null;
  }

  /** Starts a message. The one before must have been taken wholly. */
  start(message: string | Uint8Array): void {
    this.#message = message;
    this.#offset = 0;
    this.#hasBegun = false;
  }

  /** Copies the bytes that are still to be sent out of the caller's memory. */
  retain(): void {
    if (this.#message === null || typeof this.#message === "string") return;
    this.#message = this.#message.slice(this.#offset);
    this.#offset = 0;
  }

  /** The next thing to send, or null if nothing is left or no credit is. */
  take(): string | Uint8Array | null {
    const message = this.#message;
    if (message === null) return null;
    if (this.#offset > 0 && this.#offset === message.length) {
      this.#message = null;
      return createRecord(RecordKind.FINISH);
    }
    if (!this.#credit.mayStart()) return null;
    const piece = typeof message === "string" ? this.#fitText(message) : this.#fitBytes(message);
    if (!this.#hasBegun) {
      if (pieceMeasure.codeUnits < message.length) {
        this.#hasBegun = true;
        return createRecord(RecordKind.BEGIN);
      }
      this.#message = null;
    }
    this.#offset += pieceMeasure.codeUnits;
    this.#credit.charge(pieceMeasure.byteLength);
    return piece;
  }

  /** The next piece, its measure in {@link pieceMeasure}. */
  #fitBytes(message: Uint8Array): Uint8Array {
    const piece =
      message.length > MAX_PIECE_BYTES ? message.subarray(this.#offset, this.#offset + MAX_PIECE_BYTES) : message;
    pieceMeasure.codeUnits = pieceMeasure.byteLength = piece.length;
    return piece;
  }

  #fitText(message: string): string {
    // Never longer than what can fit, so that measuring a huge text piece by piece stays linear. Where the cut splits a
    // surrogate pair, its first half does not fit any more: 65,535 units in front of it take 65,535 bytes at least.
    const rest = message.slice(this.#offset, this.#offset + MAX_PIECE_BYTES);
    const mark = hasMark(rest) ? RECORD_MARK : "";
    measurePiece(rest, MAX_PIECE_BYTES - mark.length);
    pieceMeasure.byteLength += mark.length;
    return mark + rest.slice(0, pieceMeasure.codeUnits);
  }
}
