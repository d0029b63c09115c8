import { wordsOf } from "./mask.ts";

/**
 * Output is encoded into blocks: many small frames share one, so that one write carries them; a frame larger than a block
 * gets a block of its own size. Blocks of the usual size come from a pool of the process and go back to it, so that a
 * connection at rest holds none.
 */
export class OutputBlocks {
  /** Finished blocks, oldest first. */
  readonly #full: Uint8Array[] = [];
  #current: Uint8Array | null = null;
  #words: Int32Array | null = null;
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

  /** The words of the block that {@link reserve} returned last, to mask them. */
  wordsOf(block: Uint8Array): Int32Array {
    this.#words ??= wordsOf(block);
    return this.#words;
  }

  /** Says that so many of the reserved bytes were written. */
  commit(size: number): void {
    this.#used += size;
  }

  /** The filled part of the oldest block, or null. */
  take(): Uint8Array | null {
    if (this.#full.length === 0 && this.#current !== null) this.#finishCurrent(this.#current);
    const taken = this.#full.shift();
    if (taken === undefined) return null;
    this.#fullBytes -= taken.byteLength;
    if (taken.buffer.byteLength === BLOCK_BYTES) lent.set(taken.buffer, taken.byteLength);
    return taken;
  }

  /** Forgets everything. */
  clear(): void {
    for (let block = this.take(); block !== null; block = this.take()) recycleBlock(block);
  }

  #finishCurrent(current: Uint8Array): void {
    this.#full.push(current.subarray(0, this.#used));
    this.#fullBytes += this.#used;
    this.#current = null;
    this.#words = null;
    this.#used = 0;
  }
}

/** Measured: larger blocks gain nothing for small frames, smaller ones cost up to a third. */
export const BLOCK_BYTES = 65_536;

/** At most 1 MiB of idle blocks in the process. */
const POOLED_BLOCKS = 16;

const pool: Uint8Array[] = [];

/** The memory of blocks that were taken, with the number of bytes handed out. What is not in here is not ours to use. */
const lent = new WeakMap<ArrayBufferLike, number>();

function acquireBlock(): Uint8Array {
  return pool.pop() ?? new Uint8Array(BLOCK_BYTES);
}

/**
 * Takes back the memory of a block that was handed out by {@link OutputBlocks.take}. Anything else is left alone: a part of
 * one, one that was given back before, memory of somebody else.
 */
export function recycleBlock(taken: Uint8Array): void {
  const { buffer } = taken;
  if (lent.get(buffer) !== taken.byteLength || taken.byteOffset !== 0) return;
  lent.delete(buffer);
  if (pool.length < POOLED_BLOCKS) pool.push(new Uint8Array(buffer));
}
