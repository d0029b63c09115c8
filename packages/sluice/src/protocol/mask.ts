import { isMaskable, type MaskMemory, maskMemory } from "./mask-memory.ts";

/**
 * Masking (RFC 6455 §5.3): byte i of the payload is XORed with byte i mod 4 of the key; the same again unmasks.
 *
 * A key is a 32-bit number whose lowest byte is the first on the wire. There are three ways to the same bytes: WebAssembly
 * where the payload lies in its memory, WebAssembly through a copy, and words of 32 bits where both would cost more, or are
 * not to be had. The view of the words costs more than a short payload's masking: who owns the bytes makes it once, with
 * {@link wordsOf}, for all frames in them.
 */

/** Turns four bytes in the order of the wire into a word of this machine, whatever its byte order. */
const keyBytes = new Uint8Array(4);
const keyWord = new Int32Array(keyBytes.buffer);

/**
 * The memory of `bytes` as 32-bit words, from the word in which it begins to the last whole one; of memory that WebAssembly
 * masks all of it.
 */
export function wordsOf(bytes: Uint8Array): Int32Array {
  const memory = maskMemory();
  if (memory !== null && isMaskable(bytes)) return memory.words;
  const lead = bytes.byteOffset & 3;
  return new Int32Array(bytes.buffer, bytes.byteOffset - lead, (lead + bytes.byteLength) >> 2);
}

/**
 * Masks `bytes[start, end)` in place.
 *
 * @param words {@link wordsOf} the same bytes
 * @param phase how many bytes of this payload came before
 */
export function applyMask(
  bytes: Uint8Array,
  words: Int32Array,
  start: number,
  end: number,
  key: number,
  phase: number,
  memory: MaskMemory | null = maskMemory(),
): void {
  const rotated = rotate(key, phase);
  if (memory !== null) {
    const length = end - start;
    if (words === memory.words) {
      if (length >= VECTOR_BYTES) {
        memory.mask(bytes.byteOffset + start, bytes.byteOffset + end, rotated);
        return;
      }
    } else if (length >= COPIED_BYTES) {
      maskCopied(memory, bytes, start, end, rotated);
      return;
    }
  }
  maskWords(bytes, words, start, end, rotated);
}

function maskCopied(memory: MaskMemory, bytes: Uint8Array, start: number, end: number, key: number): void {
  const { scratch, mask } = memory;
  const step = scratch.byteLength;
  for (let i = start; i < end; i += step) {
    const part = bytes.subarray(i, Math.min(end, i + step));
    scratch.set(part);
    mask(0, part.length, key);
    part.set(part.length === step ? scratch : scratch.subarray(0, part.length));
  }
}

function maskWords(bytes: Uint8Array, words: Int32Array, start: number, end: number, key: number): void {
  let rotated = key;
  let i = start;
  // Byte i lies in word (i + lead) / 4. About twice as fast as a view per call from 32 bytes to 512.
  const lead = bytes.byteOffset - words.byteOffset;
  const aligned = Math.min(end, i + (-(i + lead) & 3));
  for (; i < aligned; i++) {
    bytes[i] = (bytes[i] as number) ^ (rotated & 0xff);
    rotated = rotate(rotated, 1);
  }
  const lastWord = (end + lead) >> 2;
  let word = (i + lead) >> 2;
  if (word < lastWord) {
    const wordKey = toWord(rotated);
    i += (lastWord - word) << 2;
    for (; word < lastWord; word++) words[word] = (words[word] as number) ^ wordKey;
  }
  for (; i < end; i++) {
    bytes[i] = (bytes[i] as number) ^ (rotated & 0xff);
    rotated = rotate(rotated, 1);
  }
}

/** The key as it stands `phase` bytes further. */
function rotate(key: number, phase: number): number {
  const shift = (phase & 3) << 3;
  return shift === 0 ? key : (key >>> shift) | (key << (32 - shift));
}

function toWord(key: number): number {
  keyBytes[0] = key & 0xff;
  keyBytes[1] = (key >>> 8) & 0xff;
  keyBytes[2] = (key >>> 16) & 0xff;
  keyBytes[3] = key >>> 24;
  return keyWord[0] as number;
}

/** From here on a call of WebAssembly is faster than a loop, for payload that begins anywhere in a word. */
const VECTOR_BYTES = 16;

/** From here on it is also faster with a copy there and back: 1.3 times at 1 KiB, twice at 2, three times at 64 (Node 24). */
const COPIED_BYTES = 1024;

/** One pool for each source: connections that share a source share its keys, and a short connection fetches none. */
const pools = new WeakMap<(target: Uint8Array) => void, MaskingKeys>();

/** Keys from a cryptographic source, fetched in bulk: unpredictable, each used once (RFC 6455 §5.3, §10.3). */
export class MaskingKeys {
  /** The pool of this source. */
  static of(fillRandom: (target: Uint8Array) => void): MaskingKeys {
    let keys = pools.get(fillRandom);
    if (keys === undefined) {
      keys = new MaskingKeys(fillRandom);
      pools.set(fillRandom, keys);
    }
    return keys;
  }

  readonly #fillRandom: (target: Uint8Array) => void;
  readonly #keys: Int32Array = new Int32Array(POOLED_KEYS);
  #next: number = POOLED_KEYS;

  constructor(fillRandom: (target: Uint8Array) => void) {
    this.#fillRandom = fillRandom;
  }

  next(): number {
    if (this.#next === POOLED_KEYS) {
      this.#fillRandom(new Uint8Array(this.#keys.buffer));
      this.#next = 0;
    }
    return this.#keys[this.#next++] as number;
  }
}

/** 1 KiB a connection; one call of the source serves so many frames. */
const POOLED_KEYS = 2048;
