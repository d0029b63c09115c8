import { toBytes } from "../streams/buffer-source.ts";
import { toDOMString } from "../streams/idl-conversions.ts";
import { utf8ByteLength } from "../streams/strategies.ts";

/** What `send()` puts on the wire. Bytes still belong to the caller; text may hold lone surrogates until it is encoded. */
export type SendData = string | Uint8Array | Blob;

/**
 * Converts Web IDL `(BufferSource or Blob or USVString)`.
 *
 * @throws {TypeError} for shared or resizable memory, and for what has no string, such as a symbol
 */
export function toSendData(value: unknown): SendData {
  if (typeof value === "string") return value;
  if (isBlob(value)) return value;
  return toBytes(value) ?? toDOMString(value);
}

/** Payload bytes of a message: what `bufferedAmount` counts. */
export function getByteLength(data: SendData): number {
  if (typeof data === "string") return utf8ByteLength(data);
  return data instanceof Blob ? data.size : data.byteLength;
}

/** Has the brand of the platform's Blob, not only its prototype. */
function isBlob(value: unknown): value is Blob {
  if (!(value instanceof Blob)) return false;
  try {
    getBlobSize?.call(value);
    return true;
  } catch {
    return false; // the getter throws for every other kind of object: that is the check
  }
}

const getBlobSize = Object.getOwnPropertyDescriptor(Blob.prototype, "size")?.get;
