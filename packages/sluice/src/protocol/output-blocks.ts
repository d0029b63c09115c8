/**
 * Output is encoded into blocks: many small frames share one, so that one write carries them; a frame larger than a block
 * gets a block of its own size. Blocks of the usual size come from a pool of the process and go back to it, so that a
 * connection at rest holds none.
 */
export class OutputBlocks {
  /** Finished blocks, oldest first. */
  readonly #full: Uint8Array[] = [];
  #current: Uint8Array | null = null;
  #used = 0;
  #fullBytes = 0;

  /** Bytes encoded and not yet taken. */
  get byteLength(): number {
    return this.#fullBytes + this.#used;
  }

  /** Whether a block can be taken that will not grow any more. */
  get hasFull(): boolean {
    return this.#full.length > 0;
  }

  /** The block in which the next `size` bytes go, at {@link offset}. */
  reserve(size: number): Uint8Array {
    const current = this.#current;
    if (current !== null) {
      if (current.byteLength - this.#used >= size) return current;
      this.#finishCurrent(current);
    }
    const block = size <= BLOCK_BYTES ? acquireBlock() : new Uint8Array(size);
    this.#current = block;
    return block;
  }

  /** Where the reserved bytes begin. */
  get offset(): number {
    return this.#used;
  }

  /** Says that so many of the reserved bytes were written. */
  commit(size: number): void {
    this.#used += size;
  }

  /** The filled part of the oldest block, or null. */
  take(): Uint8Array | null {
    const full = this.#full.shift();
    if (full !== undefined) {
      this.#fullBytes -= full.byteLength;
      return full;
    }
    const current = this.#current;
    if (current === null) return null;
    const taken = current.subarray(0, this.#used);
    this.#current = null;
    this.#used = 0;
    return taken;
  }

  #finishCurrent(current: Uint8Array): void {
    this.#full.push(current.subarray(0, this.#used));
    this.#fullBytes += this.#used;
    this.#current = null;
    this.#used = 0;
  }

  /** Forgets everything. */
  clear(): void {
    for (let block = this.take(); block !== null; block = this.take()) recycleBlock(block);
  }
}

/** Measured: larger blocks gain nothing for small frames, smaller ones cost up to a third. */
export const BLOCK_BYTES = 65_536;

/** At most 1 MiB of idle blocks in the process. */
const POOLED_BLOCKS = 16;

const pool: Uint8Array[] = [];

function acquireBlock(): Uint8Array {
  return pool.pop() ?? new Uint8Array(BLOCK_BYTES);
}

/** Takes back the memory of a block that was handed out by {@link OutputBlocks.take}; foreign memory is left alone. */
export function recycleBlock(taken: Uint8Array): void {
  if (taken.buffer.byteLength !== BLOCK_BYTES || taken.byteOffset !== 0 || pool.length === POOLED_BLOCKS) return;
  pool.push(new Uint8Array(taken.buffer));
}
