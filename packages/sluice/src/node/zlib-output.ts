import type { History } from "./zlib-history.ts";

/** Most that one synchronous call of zlib puts out, in bytes: bounds the time that a few hostile bytes can take. */
export const SCRATCH_BYTES = 65_536;

/** Where the synchronous calls write. One for the process: what is in it at the end of a turn belongs to nobody. */
export const scratch: Uint8Array = new Uint8Array(SCRATCH_BYTES);

/** Collects what zlib puts out for one call, counted while it comes (RFC 7692 §8, spec-digest E24). */
export class ZlibOutput {
  #pieces: Uint8Array[] = [];
  #piecesLength = 0;
  /** Bytes of this call that stand in {@link scratch}. */
  #used = 0;
  #remembered = 0;
  #limit = 0;

  /** Starts a new call. @param limit most bytes that may come */
  begin(limit: number): void {
    this.#limit = limit;
    this.#used = 0;
    this.#remembered = 0;
    if (this.#pieces.length > 0) this.#dropPieces();
  }

  /** Bytes so far. */
  get length(): number {
    return this.#piecesLength + this.#used;
  }

  /** Where in {@link scratch} the next bytes go. */
  get start(): number {
    return this.#used;
  }

  /** How much the next synchronous call may write: up to the end of the scratch memory, or one byte past the limit. */
  get room(): number {
    return Math.min(SCRATCH_BYTES - this.#used, this.#limit - this.length + 1);
  }

  /** Notes what a synchronous call wrote. @returns false if the limit is exceeded */
  advance(length: number): boolean {
    this.#used += length;
    if (this.#used === SCRATCH_BYTES) this.spill();
    return this.length <= this.#limit;
  }

  /** Adds what a thread wrote. @returns false if the limit is exceeded */
  add(bytes: Uint8Array): boolean {
    this.spill();
    this.#pieces.push(bytes);
    this.#piecesLength += bytes.length;
    return this.length <= this.#limit;
  }

  /** Moves the bytes out of the scratch memory, which others use after this turn. */
  spill(): void {
    if (this.#used === 0) return;
    this.#pieces.push(scratch.slice(0, this.#used));
    this.#piecesLength += this.#used;
    this.#used = 0;
  }

  /** Hands everything over to an output of its own, for a call that goes on in a later turn. */
  detach(): ZlibOutput {
    this.spill();
    const output = new ZlibOutput();
    output.#pieces = this.#pieces;
    output.#piecesLength = this.#piecesLength;
    output.#remembered = this.#remembered;
    output.#limit = this.#limit;
    this.#dropPieces();
    return output;
  }

  /** Appends to a history what came since the last time, as far as the history reaches back. */
  rememberIn(history: History): void {
    const seen = Math.max(this.#remembered, this.length - history.windowBytes);
    this.#remembered = this.length;
    // From the end, as there may be thousands of pieces.
    let index = this.#pieces.length;
    let start = this.#piecesLength;
    while (start > seen) start -= (this.#pieces[--index] as Uint8Array).length;
    for (; index < this.#pieces.length; index++) {
      const piece = this.#pieces[index] as Uint8Array;
      history.append(start < seen ? piece.subarray(seen - start) : piece);
      start += piece.length;
    }
    if (this.#used > 0) history.append(scratch.subarray(Math.max(0, seen - start), this.#used));
  }

  /** Everything; if it is little, in the scratch memory, so that a text needs no buffer of its own (1 µs from 65 bytes on). */
  view(): Uint8Array {
    return this.#pieces.length === 0 ? scratch.subarray(0, this.#used) : this.take(0);
  }

  /**
   * Everything, without its last `trim` bytes, in memory of its own.
   *
   * @param trim at most the length
   */
  take(trim: number): Uint8Array {
    if (this.#pieces.length === 0) return scratch.slice(0, this.#used - trim);
    const bytes = new Uint8Array(this.length - trim);
    let offset = 0;
    for (const piece of this.#pieces) {
      bytes.set(offset + piece.length > bytes.length ? piece.subarray(0, bytes.length - offset) : piece, offset);
      offset += piece.length;
      if (offset >= bytes.length) break;
    }
    if (offset < bytes.length) bytes.set(scratch.subarray(0, bytes.length - offset), offset);
    this.#dropPieces();
    return bytes;
  }

  #dropPieces(): void {
    this.#pieces = [];
    this.#piecesLength = 0;
  }
}
