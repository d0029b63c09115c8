/**
 * Joins slices to one message in memory that belongs to the message alone (D-09).
 *
 * An announced length is trusted with at most {@link TRUSTED_BYTES}; beyond that memory grows with what has arrived, so
 * a header that promises a hundred MiB costs its sender as much as it costs us.
 */
export class MessageAssembler {
  #bytes: Uint8Array<ArrayBuffer> = EMPTY;
  #length = 0;

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
    this.#bytes = EMPTY;
    this.#length = 0;
  }

  #grow(length: number, total: number): void {
    const doubled = 2 * this.#bytes.byteLength;
    // A length that is known is reserved, within reason; one that is not is guessed by doubling, from the second slice on.
    const wanted = total >= length ? Math.min(total, Math.max(doubled, TRUSTED_BYTES)) : doubled;
    const capacity = Math.max(length, wanted);
    const grown = new Uint8Array(capacity);
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

const EMPTY = new Uint8Array(0);

/** Most memory taken on the strength of a header. */
const TRUSTED_BYTES = 1024 * 1024;
