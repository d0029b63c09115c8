/** Lengths at and around the limits of the three length fields (RFC 6455 §5.2), and beyond one frame of ours. */
export const SIZES = [1, 125, 126, 65_535, 65_536, 2 ** 20, 2 ** 24] as const;

/** Characters of one to four bytes; long enough that frames and chunks end inside of some. */
export const MULTI_BYTE_TEXT: string = "Schleuse, écluse, 水門 🌊 ".repeat(10_000);

/** Small when deflated. */
export const COMPRESSIBLE_TEXT: string = "All streams flow into the sea, yet the sea is never full. ".repeat(40);

/** What a server peer answers to `/fragments n`: one message, n times this. */
export const FRAGMENT: string = "0123456789abcdef".repeat(1024);

/** Bytes of every value, in an order that shows a lost, doubled or swapped block. */
export function createBytes(byteLength: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(byteLength);
  for (let index = 0; index < byteLength; index++) bytes[index] = (index * 31 + (index >>> 8) * 7) & 0xff;
  return bytes;
}

/** Whether two messages are the same; a text and bytes never are. */
export function isSame(a: string | Uint8Array, b: string | Uint8Array): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return Buffer.compare(a, b) === 0;
}

/** For the message of a test that fails. */
export function describeMessage(message: string | Uint8Array): string {
  if (typeof message !== "string") return `${message.byteLength} bytes`;
  return message.length > 80 ? `text of ${message.length} characters` : JSON.stringify(message);
}
