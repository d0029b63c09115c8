type Piece = string | Uint8Array<ArrayBuffer>;

/** The pieces of one message until the last has come; counted against its limits before they are kept. */
export class PieceAssembler {
  /** Payload bytes of the pieces. */
  byteLength = 0;
  readonly #maxMessageBytes: number;
  readonly #maxPieces: number;
  readonly #pieces: Piece[] = [];

  constructor(maxMessageBytes: number, maxPieces: number) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#maxPieces = maxPieces;
  }

  /** Whether a piece of this type may follow what is there: one message is all text or all binary. */
  accepts(piece: Piece): boolean {
    return this.#pieces.length === 0 || typeof piece === typeof this.#pieces[0];
  }

  /** @returns false if the message is now longer than its limit, in bytes or in pieces */
  append(piece: Piece, byteLength: number): boolean {
    this.byteLength += byteLength;
    return this.byteLength <= this.#maxMessageBytes && this.#pieces.push(piece) <= this.#maxPieces;
  }

  /** The whole message, in memory of its own, or null if no piece came. */
  finish(): Piece | null {
    const pieces = this.#pieces;
    if (pieces.length === 0) return null;
    if (typeof pieces[0] === "string") return pieces.join("");
    const message = new Uint8Array(this.byteLength);
    let offset = 0;
    for (const piece of pieces as Uint8Array[]) {
      message.set(piece, offset);
      offset += piece.length;
    }
    return message;
  }
}
