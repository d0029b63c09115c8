import { constants, deflateRawSync } from "node:zlib";

const MIB = 1_048_576;

/**
 * The payload of a compressed message that inflates to so many zero bytes (RFC 7692 §7.2.1: without the last four bytes of
 * the sync flush), at nearly DEFLATE's limit of 1,032 to 1.
 */
export function deflateBomb(byteLength: number): Uint8Array {
  // A flushed piece stands for itself, so that the same one can be there again and again.
  const whole = byteLength < MIB ? new Uint8Array(0) : deflateZeros(MIB);
  const rest = deflateZeros(byteLength % MIB);
  const count = Math.floor(byteLength / MIB);
  const bomb = new Uint8Array(count * whole.byteLength + rest.byteLength);
  for (let index = 0; index < count; index++) bomb.set(whole, index * whole.byteLength);
  bomb.set(rest, count * whole.byteLength);
  return bomb.subarray(0, -4);
}

function deflateZeros(byteLength: number): Uint8Array {
  return deflateRawSync(new Uint8Array(byteLength), { level: 9, finishFlush: constants.Z_SYNC_FLUSH });
}
