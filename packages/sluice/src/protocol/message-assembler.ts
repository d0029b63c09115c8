/**
 * Joins slices to one message in memory that belongs to the message alone (D-09).
 *
 * An announced length is trusted with at most {@link TRUSTED_BYTES}; beyond that memory grows with what has arrived, so
 * a header that promises a hundred MiB costs its sender as much as it costs us. A message in fragments announces none: it is
 * taken to be as long as the one before, with no more trust. Where that is so, as in a stream of equal pieces, nothing is
 * moved while it grows: half the time of a message of 1 MiB, against doubling.
 */
export class MessageAssembler {
  #bytes: Uint8Array<ArrayBuffer> = EMPTY;
  #length = 0;
  /** Of the last message. */
  #lastLength = 0;

  /** Bytes joined so far. */
  get length(): number {
    return this.#length;
  }

  /** Memory held. */
  get capacity(): number {
    return this.#bytes.byteLength;
  }

  /** The memory joined into; its first {@link length} bytes count. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** @param total what the message will have in the end, as far as is known */
  append(source: Uint8Array, start: number, end: number, total: number): void {
    const length = this.#length + (end - start);
    if (length > this.#bytes.byteLength) this.#grow(length, total);
    this.#bytes.set(source.subarray(start, end), this.#length);
    this.#length = length;
  }

  /** The message, in a buffer of exactly its length; the assembler is empty afterwards. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes;
    const length = this.#length;
    this.clear();
    // Also an empty message gets memory of its own: its receiver may transfer it to another thread.
    return bytes.byteLength === length && length > 0 ? bytes : bytes.slice(0, length);
  }

  clear(): void {
    if (this.#length > 0) this.#lastLength = this.#length;
    this.#bytes = EMPTY;
    this.#length = 0;
  }

  #grow(length: number, total: number): void {
    const doubled = 2 * this.#bytes.byteLength;
    const expected = total >= length ? total : this.#lastLength;
    // A length that is expected is reserved, within reason; beyond it is guessed by doubling, from the second slice on.
    const wanted = expected >= length ? Math.min(expected, Math.max(doubled, TRUSTED_BYTES)) : doubled;
    const capacity = Math.max(length, wanted);
    const grown = new Uint8Array(capacity);
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

const EMPTY = new Uint8Array(0);

/** Most memory taken for what has not arrived. */
const TRUSTED_BYTES = 1024 * 1024;
