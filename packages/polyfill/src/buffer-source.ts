/**
 * Converts a Web IDL `BufferSource` to exactly its bytes, which are not copied. A detached buffer is empty.
 *
 * @returns null if the value is neither an ArrayBuffer nor a view on one
 * @throws {TypeError} if the memory is shared or resizable
 */
export function toBytes(value: unknown): Uint8Array<ArrayBuffer> | null {
  const view: Partial<ArrayBufferView> = ArrayBuffer.isView(value) ? value : { buffer: value as ArrayBuffer };
  const buffer = view.buffer as ArrayBuffer & { readonly resizable?: boolean };
  // The tag knows buffers of other frames too.
  const tag = Object.prototype.toString.call(buffer);
  const isShared = tag === "[object SharedArrayBuffer]";
  if (!isShared && tag !== "[object ArrayBuffer]") return null;
  if (isShared || buffer.resizable)
    throw new TypeError("Cannot send bytes whose memory is shared or resizable: send a copy, such as view.slice()");
  return buffer.byteLength === 0 ? new Uint8Array() : new Uint8Array(buffer, view.byteOffset, view.byteLength);
}
