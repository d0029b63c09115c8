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
    return bytes.byteLength === length ? bytes : bytes.slice(0, length);
  }

  clear(): void {
    this.#bytes = EMPTY;
    this.#length = 0;
  }

  #grow(length: number, total: number): void {
    const doubled = Math.max(2 * this.#bytes.byteLength, TRUSTED_BYTES);
    // A total that is known is not exceeded; one that is not known is the length so far.
    const capacity =
      total > length
        ? Math.max(length, Math.min(total, doubled))
        : this.#bytes.byteLength === 0
          ? length
          : Math.max(length, 2 * this.#bytes.byteLength);
    const grown = new Uint8Array(capacity);
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

const EMPTY = new Uint8Array(0);

/** Most memory taken on the strength of a header. */
const TRUSTED_BYTES = 1024 * 1024;
