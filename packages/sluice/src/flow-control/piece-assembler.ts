/** The pieces of one message until the last has come; counted against its limits before they are kept. */
export class PieceAssembler {
  readonly #maxMessageBytes: number;
  readonly #maxPieces: number;
  #binary: Uint8Array[] = [];
  #text: string | null = null;
  #pieces = 0;
  #byteLength = 0;

  constructor(maxMessageBytes: number, maxPieces: number) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#maxPieces = maxPieces;
  }

  /** Payload bytes kept. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Whether a piece of this type may follow what is there: one message is all text or all binary. */
  accepts(piece: string | Uint8Array): boolean {
    return this.#pieces === 0 || (typeof piece === "string") === (this.#text !== null);
  }

  /** @returns false if the message is now longer than its limit, in bytes or in pieces */
  append(piece: string | Uint8Array, byteLength: number): boolean {
    this.#pieces += 1;
    this.#byteLength += byteLength;
    if (this.#byteLength > this.#maxMessageBytes || this.#pieces > this.#maxPieces) return false;
    if (typeof piece === "string") this.#text = (this.#text ?? "") + piece;
    else this.#binary.push(piece);
    return true;
  }

  /** The whole message, in memory of its own, or null if no piece came. */
  finish(): string | Uint8Array<ArrayBuffer> | null {
    if (this.#pieces === 0) return null;
    if (this.#text !== null) return this.#text;
    const message = new Uint8Array(this.#byteLength);
    let offset = 0;
    for (const piece of this.#binary) {
      message.set(piece, offset);
      offset += piece.byteLength;
    }
    return message;
  }
}
