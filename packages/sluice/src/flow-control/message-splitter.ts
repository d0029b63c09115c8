import { escapeText, RECORD_ABANDON, RECORD_BEGIN, RECORD_FINISH, RECORD_MARK_CODE } from "./control-record.ts";
import type { CreditSender } from "./credit-sender.ts";
import { MAX_PIECE_BYTES } from "./flow-limits.ts";
import { measurePiece, pieceMeasure } from "./utf8-length.ts";

/** Turns one message into data messages: itself if it fits, else B, pieces, F. */
export class MessageSplitter {
  readonly #credit: CreditSender;
  #message: string | Uint8Array | null = null;
  #offset = 0;
  #hasBegun = false;
  #isCut = false;

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
    this.#isCut = false;
  }

  /** Copies the bytes that are still to be sent out of the caller's memory. */
  retain(): void {
    if (this.#message === null || typeof this.#message === "string") return;
    this.#message = this.#message.slice(this.#offset);
    this.#offset = 0;
  }

  /** Gives the message up. If a part of it is out, the peer is told. */
  cut(): void {
    if (this.#hasBegun) this.#isCut = true;
    else this.#message = null;
  }

  /** The next thing to send, or null if nothing is left or no credit is. */
  take(): string | Uint8Array | null {
    const message = this.#message;
    if (message === null) return null;
    if (this.#isCut) return this.#end(RECORD_ABANDON);
    if (this.#offset > 0 && this.#offset === message.length) return this.#end(RECORD_FINISH);
    if (!this.#credit.mayStart()) return null;
    return typeof message === "string" ? this.#takeText(message) : this.#takeBytes(message);
  }

  #takeBytes(message: Uint8Array): string | Uint8Array {
    if (!this.#hasBegun) {
      if (message.length <= MAX_PIECE_BYTES) {
        this.#message = null;
        this.#credit.charge(message.length);
        return message;
      }
      return this.#begin();
    }
    const piece = message.subarray(this.#offset, this.#offset + MAX_PIECE_BYTES);
    this.#offset += piece.length;
    this.#credit.charge(piece.length);
    return piece;
  }

  #takeText(message: string): string {
    // Never longer than what can fit, so that measuring a huge text piece by piece stays linear.
    const rest = this.#offset === 0 && message.length <= MAX_PIECE_BYTES ? message : this.#slice(message);
    const markBytes = rest.charCodeAt(0) === RECORD_MARK_CODE ? 1 : 0;
    measurePiece(rest, MAX_PIECE_BYTES - markBytes);
    const { codeUnits, byteLength } = pieceMeasure;
    if (!this.#hasBegun) {
      if (codeUnits === message.length) {
        this.#message = null;
        this.#credit.charge(byteLength + markBytes);
        return escapeText(message);
      }
      return this.#begin();
    }
    this.#offset += codeUnits;
    this.#credit.charge(byteLength + markBytes);
    return escapeText(codeUnits === rest.length ? rest : rest.slice(0, codeUnits));
  }

  /** The next stretch that may fit a piece; does not end between the halves of a surrogate pair. */
  #slice(message: string): string {
    let end = this.#offset + MAX_PIECE_BYTES;
    const last = message.charCodeAt(end - 1);
    if (end < message.length && last >= 0xd800 && last < 0xdc00) end -= 1;
    return message.slice(this.#offset, end);
  }

  #begin(): string {
    this.#hasBegun = true;
    return RECORD_BEGIN;
  }

  #end(record: string): string {
    this.#message = null;
    return record;
  }
}
