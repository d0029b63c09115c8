import { MAX_PIECE_BYTES } from "./flow-limits.ts";

const encoder: TextEncoder = new TextEncoder();
let scratch: Uint8Array | null = null;

/** How much of a text fits one piece: code units read, UTF-8 bytes they take. Both are replaced by the next call. */
export const pieceMeasure: { codeUnits: number; byteLength: number } = { codeUnits: 0, byteLength: 0 };

/**
 * Measures the longest beginning of `text` that takes at most `limit` bytes of UTF-8 and does not split a code point.
 * The result is in {@link pieceMeasure}. A lone surrogate counts 3 bytes, since it is sent as U+FFFD.
 *
 * @param limit at most {@link MAX_PIECE_BYTES}
 */
export function measurePiece(text: string, limit: number): void {
  const { length } = text;
  // Most messages in text are short and ASCII: no call of the encoder for those.
  let read = 0;
  let written = 0;
  if (length <= 24) while (read < length && text.charCodeAt(read) < 0x80) written = ++read;
  if (read < length) {
    // encodeInto() is an order of magnitude faster than a loop over code units, and it never splits a code point.
    scratch ??= new Uint8Array(MAX_PIECE_BYTES);
    ({ read, written } = encoder.encodeInto(text, limit < MAX_PIECE_BYTES ? scratch.subarray(0, limit) : scratch));
  }
  pieceMeasure.codeUnits = read;
  pieceMeasure.byteLength = written;
}

/** The bytes of a text of any length in UTF-8. */
export function utf8Length(text: string): number {
  measurePiece(text, MAX_PIECE_BYTES);
  return pieceMeasure.codeUnits === text.length ? pieceMeasure.byteLength : encoder.encode(text).length;
}
