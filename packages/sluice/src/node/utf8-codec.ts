import { isUtf8 } from "node:buffer";
import { standardUtf8Codec, type Utf8Codec } from "../protocol/utf8.ts";

/** Buffer's native text functions. Not in the documentation, but on the prototype of every Node; probed below. */
interface NativeText {
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number;
}

const REPLACEMENT_CHARACTER = "\uFFFD";
const native = Buffer.prototype as unknown as NativeText;

function isValid(bytes: Uint8Array, start: number, end: number): boolean {
  return isUtf8(bytes.subarray(start, end));
}

const publicCodec: Utf8Codec = {
  decode(bytes: Uint8Array, start: number, end: number): string | null {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
    return text.includes(REPLACEMENT_CHARACTER) && !isValid(bytes, start, end) ? null : text;
  },
  isValid,
  write: standardUtf8Codec.write,
  writePart: standardUtf8Codec.writePart,
  byteLength: (text: string) => Buffer.byteLength(text),
  encode: standardUtf8Codec.encode,
};

const nativeCodec: Utf8Codec = {
  decode(bytes: Uint8Array, start: number, end: number): string | null {
    const text = native.utf8Slice.call(bytes, start, end);
    // Only bytes that are no UTF-8, or the character itself, decode to U+FFFD: valid text is walked over once.
    // About half the cost of TextDecoder with `fatal`, and of isUtf8() in front (16 B to 1 KiB).
    return text.includes(REPLACEMENT_CHARACTER) && !isValid(bytes, start, end) ? null : text;
  },
  isValid,
  write(target: Uint8Array, offset: number, text: string): number {
    return native.utf8Write.call(target, text, offset, target.length - offset);
  },
  writePart: publicCodec.writePart,
  byteLength: publicCodec.byteLength,
  encode: publicCodec.encode,
};

/** Whether the native functions work on a plain Uint8Array, with offsets, keep a BOM and replace lone surrogates. */
function isNativeUsable(): boolean {
  try {
    const bytes = new Uint8Array(12);
    const written = nativeCodec.write(bytes, 1, "\uFEFF\u00E9\uD800");
    return (
      written === 8 &&
      Buffer.from(bytes).toString("hex") === "00efbbbfc3a9efbfbd000000" &&
      nativeCodec.decode(bytes, 1, 9) === "\uFEFF\u00E9\uFFFD"
    );
  } catch {
    return false; // Missing, or with other arguments: the documented functions do the same
  }
}

/**
 * Node's text functions for the protocol core: strict UTF-8, a BOM is kept, a lone surrogate is written as U+FFFD.
 *
 * `decode` throws (`ERR_STRING_TOO_LONG`) for text beyond the engine's longest string, about 512 MiB.
 */
export const utf8Codec: Utf8Codec = isNativeUsable() ? nativeCodec : publicCodec;

/** The same on documented functions only: what {@link utf8Codec} is where the native ones are missing. */
export const publicUtf8Codec: Utf8Codec = publicCodec;
