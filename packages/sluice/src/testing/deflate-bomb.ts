import { constants, deflateRawSync } from "node:zlib";

/** Who attacks does so more than once, and to compress takes as long as to inflate. */
let last: { readonly byteLength: number; readonly payload: Uint8Array } = { byteLength: 0, payload: Uint8Array.of(0) };

/**
 * The payload of a compressed message that inflates to so many zero bytes (RFC 7692 §7.2.1: without the last four bytes of
 * the sync flush), at DEFLATE's limit of about 1,032 to 1. Not to be changed: whoever asks for the same gets the same memory.
 */
export function deflateBomb(byteLength: number): Uint8Array {
  if (last.byteLength !== byteLength) {
    const deflated = deflateRawSync(new Uint8Array(byteLength), { level: 9, finishFlush: constants.Z_SYNC_FLUSH });
    last = { byteLength, payload: new Uint8Array(deflated.subarray(0, -4)) };
  }
  return last.payload;
}
