/**
 * The same memory as a plain Uint8Array. Of a subclass, Node's Buffer above all, `slice` may not copy, and its result is
 * not what the public API promises (D-09).
 */
export function toPlainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
