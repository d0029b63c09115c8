import { constants, deflateRawSync } from "node:zlib";

/**
 * The payload of a compressed message that inflates to so many zero bytes (RFC 7692 §7.2.1: without the last four bytes of
 * the sync flush), at DEFLATE's limit of about 1,032 to 1.
 */
export function deflateBomb(byteLength: number): Uint8Array {
  const deflated = deflateRawSync(new Uint8Array(byteLength), { level: 9, finishFlush: constants.Z_SYNC_FLUSH });
  return new Uint8Array(deflated.subarray(0, -4));
}
