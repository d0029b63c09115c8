/**
 * Masking (RFC 6455 §5.3): byte i of the payload is XORed with byte i mod 4 of the key; the same again unmasks.
 *
 * A key is a 32-bit number whose lowest byte is the first on the wire, so that on a little-endian machine a word of
 * payload is XORed at once.
 */

const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Below this length a loop over bytes beats the making of a view. */
const WIDE_FROM_BYTES = 64;

/**
 * Masks `bytes[start, end)` in place.
 *
 * @param phase how many bytes of this payload came before
 */
export function applyMask(bytes: Uint8Array, start: number, end: number, key: number, phase: number): void {
  let rotated = rotate(key, phase);
  let i = start;
  if (IS_LITTLE_ENDIAN && end - start >= WIDE_FROM_BYTES) {
    while (((bytes.byteOffset + i) & 3) !== 0) {
      bytes[i] = (bytes[i] as number) ^ (rotated & 0xff);
      rotated = rotate(rotated, 1);
      i++;
    }
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + i, (end - i) >> 2);
    const length = words.length;
    for (let w = 0; w < length; w++) words[w] = (words[w] as number) ^ rotated;
    i += length << 2;
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

/** Keys from a cryptographic source, fetched in bulk: unpredictable, each used once (RFC 6455 §5.3, §10.3). */
export class MaskingKeys {
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
const POOLED_KEYS = 256;
