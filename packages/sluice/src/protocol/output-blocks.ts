import { MAX_HEADER_BYTES } from "./frame-header.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { wordsOf } from "./mask.ts";
import { allocateMaskable, isMaskable } from "./mask-memory.ts";

/**
 * Output is encoded into blocks: many small frames share one, so that one write carries them. Blocks come from pools of the
 * process and go back to them, so that a connection at rest holds none. There are two sizes, for small frames and for the
 * largest that a connection sends; what is larger still gets memory of its own.
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
      const filled = this.#finish(current);
      this.#full.push(filled);
      this.#fullBytes += filled.byteLength;
    }
    const block =
      size <= BLOCK_BYTES
        ? usualPool.acquire()
        : size <= LARGE_BLOCK_BYTES
          ? largePool.acquire()
          : new Uint8Array(size);
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
    if (this.#full.length === 0) return this.#current === null ? null : this.#finish(this.#current);
    const taken = this.#full.shift() as Uint8Array;
    this.#fullBytes -= taken.byteLength;
    return taken;
  }

  /** Forgets everything. */
  clear(): void {
    for (let block = this.take(); block !== null; block = this.take()) recycleBlock(block);
  }

  #finish(current: Uint8Array): Uint8Array {
    const filled = current.subarray(0, this.#used);
    lend(filled, current);
    this.#current = null;
    this.#words = null;
    this.#used = 0;
    return filled;
  }
}

/** Measured: larger blocks gain nothing for small frames, smaller ones cost up to a third. */
export const BLOCK_BYTES = 65_536;

/** A frame of the largest size fits: pooled, its memory is neither cleared nor collected, and still in a cache. */
export const LARGE_BLOCK_BYTES: number = DEFAULT_LIMITS.maxFrameBytes + MAX_HEADER_BYTES;

/** Blocks of one size that nobody uses at the moment. */
class BlockPool {
  readonly #byteLength: number;
  readonly #most: number;
  readonly #idle: Uint8Array[] = [];

  constructor(byteLength: number, most: number) {
    this.#byteLength = byteLength;
    this.#most = most;
  }

  acquire(): Uint8Array {
    return this.#idle.pop() ?? allocateMaskable(this.#byteLength);
  }

  /** Takes a block of any size; those of another size, memory that was transferred away too, are left alone. */
  release(block: Uint8Array): void {
    if (block.byteLength !== this.#byteLength) return;
    if (this.#idle.length < this.#most || isMaskable(block)) this.#idle.push(block);
  }
}

/** At most 1 MiB of idle blocks of each size, beside those whose memory cannot be given back. */
const usualPool = new BlockPool(BLOCK_BYTES, 16);
const largePool = new BlockPool(LARGE_BLOCK_BYTES, 8);

/** The blocks whose filled parts were finished. What is not in here, and not the newest, is not ours to use. */
const lent = new WeakMap<Uint8Array, Uint8Array>();
/** The newest of them. It mostly comes back before the next is lent, and a map of one would take longer than framing does. */
let newestFilled: Uint8Array | null = null;
let newestBlock: Uint8Array | null = null;

function lend(filled: Uint8Array, block: Uint8Array): void {
  if (newestFilled !== null) lent.set(newestFilled, newestBlock as Uint8Array);
  newestFilled = filled;
  newestBlock = block;
}

function takeBack(filled: Uint8Array): Uint8Array | undefined {
  if (filled !== newestFilled) {
    const block = lent.get(filled);
    lent.delete(filled);
    return block;
  }
  const block = newestBlock as Uint8Array;
  newestFilled = newestBlock = null;
  return block;
}

/**
 * Takes back the memory of what was handed out by {@link OutputBlocks.take}. Anything else is left alone: a part of it,
 * one that was given back before, memory of somebody else.
 */
export function recycleBlock(taken: Uint8Array): void {
  const block = takeBack(taken);
  if (block === undefined) return;
  usualPool.release(block);
  largePool.release(block);
}
