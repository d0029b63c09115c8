/** Text functions of the runtime: UTF-8 without a BOM's special treatment; lone surrogates are written as U+FFFD. */
export interface Utf8Codec {
  /** The text of `bytes[start, end)`, or null if that is not valid UTF-8. A leading BOM stays. */
  decode(bytes: Uint8Array, start: number, end: number): string | null;
  isValid(bytes: Uint8Array, start: number, end: number): boolean;
  /** Writes `text` at `offset`, where there is room for it. @returns the bytes written */
  write(target: Uint8Array, offset: number, text: string): number;
  /** Writes whole characters from the beginning of `text` into `target[start, end)`. @returns code units read, bytes written */
  writePart(target: Uint8Array, start: number, end: number, text: string): { read: number; written: number };
  /** The bytes that `text` takes. */
  byteLength(text: string): number;
  encode(text: string): Uint8Array;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The codec of every runtime that has the Encoding standard. */
export const standardUtf8Codec: Utf8Codec = {
  decode(bytes: Uint8Array, start: number, end: number): string | null {
    try {
      return decoder.decode(bytes.subarray(start, end));
    } catch {
      return null; // fatal: this is how the decoder says that the bytes are not UTF-8
    }
  },
  isValid(bytes: Uint8Array, start: number, end: number): boolean {
    return standardUtf8Codec.decode(bytes, start, end) !== null;
  },
  write: (target: Uint8Array, offset: number, text: string): number =>
    encoder.encodeInto(text, target.subarray(offset)).written,
  writePart: (target: Uint8Array, start: number, end: number, text: string) =>
    encoder.encodeInto(text, target.subarray(start, end)),
  byteLength: (text: string): number => encoder.encode(text).byteLength,
  encode: (text: string): Uint8Array => encoder.encode(text),
};

/**
 * Validates UTF-8 that comes in slices, and fails at the first byte that cannot belong to valid text (F19). The bulk of
 * each slice goes through the runtime's validator; only a character that is cut by the slice's end is followed byte by byte.
 */
export class Utf8Validator {
  readonly #codec: Utf8Codec;
  /** Continuation bytes that the character in progress still needs, and the range of the next one (Unicode table 3-7). */
  #needed = 0;
  #lower = 0x80;
  #upper = 0xbf;

  constructor(codec: Utf8Codec) {
    this.#codec = codec;
  }

  /** @returns false as soon as the text cannot be valid any more */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    let i = start;
    for (; this.#needed > 0 && i < end; i++) if (!this.#continue(bytes[i] as number)) return false;
    if (i === end) return true;
    const cut = startOfCutCharacter(bytes, i, end);
    if (cut > i && !this.#codec.isValid(bytes, i, cut)) return false;
    if (cut === end) return true;
    if (!this.#begin(bytes[cut] as number)) return false;
    for (let j = cut + 1; j < end; j++) if (!this.#continue(bytes[j] as number)) return false;
    return true;
  }

  /** Whether the text may end here. */
  get isComplete(): boolean {
    return this.#needed === 0;
  }

  #begin(lead: number): boolean {
    this.#lower = 0x80;
    this.#upper = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) this.#needed = 1;
    else if (lead >= 0xe0 && lead <= 0xef) {
      this.#needed = 2;
      if (lead === 0xe0) this.#lower = 0xa0; // below: overlong
      if (lead === 0xed) this.#upper = 0x9f; // above: surrogates
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      this.#needed = 3;
      if (lead === 0xf0) this.#lower = 0x90; // below: overlong
      if (lead === 0xf4) this.#upper = 0x8f; // above: beyond U+10FFFF
    } else return false;
    return true;
  }

  #continue(byte: number): boolean {
    if (byte < this.#lower || byte > this.#upper) return false;
    this.#lower = 0x80;
    this.#upper = 0xbf;
    this.#needed--;
    return true;
  }
}

/** Where the last character begins if `end` cuts it; else `end`. */
function startOfCutCharacter(bytes: Uint8Array, start: number, end: number): number {
  const first = Math.max(start, end - 3);
  for (let i = end - 1; i >= first; i--) {
    const byte = bytes[i] as number;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return i + length > end ? i : end;
  }
  return end;
}
