/**
 * Memory for small binary messages of one connection, several in one buffer: a view costs half of what a buffer of its own
 * does. Nothing but messages of this connection lies in it.
 *
 * A buffer is as long as what the rest of the input can fill, at most {@link SLAB_BYTES}: a lone message has one of exactly
 * its length, and the reader that keeps one message keeps at most that much.
 */
export class ChunkSlab {
  #buffer: ArrayBuffer | null = null;
  #bytes: Uint8Array = EMPTY;
  #used = 0;

  /** A copy of `bytes[start, end)`; what follows in `bytes` tells how much more may come. */
  copy(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
    const length = end - start;
    if (length > MAX_CHUNK_BYTES) return bytes.slice(start, end) as Uint8Array<ArrayBuffer>;
    let buffer = this.#buffer;
    if (buffer === null || this.#bytes.byteLength - this.#used < length) {
      buffer = new ArrayBuffer(Math.min(SLAB_BYTES, bytes.byteLength - start));
      this.#buffer = buffer;
      this.#bytes = new Uint8Array(buffer);
      this.#used = 0;
    }
    const offset = this.#used;
    if (length <= SHORT_COPY_BYTES) {
      const target = this.#bytes;
      for (let i = 0; i < length; i++) target[offset + i] = bytes[start + i] as number;
    } else {
      this.#bytes.set(bytes.subarray(start, end), offset);
    }
    this.#used = offset + length;
    // The input is used up: what comes next gets a buffer of its own, and nothing is held meanwhile.
    if (end === bytes.byteLength) this.#release();
    return new Uint8Array(buffer, offset, length);
  }

  #release(): void {
    this.#buffer = null;
    this.#bytes = EMPTY;
  }
}

const EMPTY = new Uint8Array(0);

/** Longer messages have a buffer of their own: there the copy is what costs. */
const MAX_CHUNK_BYTES = 2048;

const SLAB_BYTES = 16_384;

/** Below this a loop is faster than `set` with a view. */
const SHORT_COPY_BYTES = 32;
