import { MAX_PIECE_BYTES } from "./flow-limits.ts";

const encoder: TextEncoder = new TextEncoder();
let scratch: Uint8Array | null = null;

/** How much of a text fits one piece: code units read, UTF-8 bytes they take. Both are replaced by the next call. */
export const pieceMeasure: { codeUnits: number; byteLength: number } = { codeUnits: 0, byteLength: 0 };

/**
 * Measures the longest beginning of `text` that takes at most `limit` bytes of UTF-8 and does not split a code point.
 * The result is in {@link pieceMeasure}. A lone surrogate counts 3 bytes, since it is sent as U+FFFD.
 */
export function measurePiece(text: string, limit: number): void {
  const { length } = text;
  if (length <= 24 && length * 3 <= limit) {
    let byteLength = length;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x80) continue;
      if (unit < 0x800) byteLength += 1;
      else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text, i + 1)) {
        byteLength += 2;
        i++;
      } else byteLength += 2;
    }
    pieceMeasure.codeUnits = length;
    pieceMeasure.byteLength = byteLength;
    return;
  }
  // encodeInto() is an order of magnitude faster than a loop over code units, and it never splits a code point.
  scratch ??= new Uint8Array(MAX_PIECE_BYTES);
  const result = encoder.encodeInto(text, limit < scratch.length ? scratch.subarray(0, limit) : scratch);
  pieceMeasure.codeUnits = result.read;
  pieceMeasure.byteLength = result.written;
}

function isLowSurrogate(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return unit >= 0xdc00 && unit < 0xe000;
}

/** The bytes of a text of any length in UTF-8. */
export function utf8Length(text: string): number {
  if (text.length > MAX_PIECE_BYTES) return encoder.encode(text).byteLength;
  measurePiece(text, MAX_PIECE_BYTES);
  return pieceMeasure.codeUnits === text.length ? pieceMeasure.byteLength : encoder.encode(text).byteLength;
}
