/*
 * Frame code of the hostile peer's own, so that it does not share the library's mistakes. Nothing is checked: every frame
 * that RFC 6455 §5 forbids can be made and read.
 */

/** A frame as it came over the wire, unmasked. */
export interface WireFrame {
  readonly isFin: boolean;
  /** The three reserved bits, RSV1 as 4, RSV2 as 2, RSV3 as 1. */
  readonly rsv: number;
  readonly opcode: number;
  readonly isMasked: boolean;
  /** The four bytes that masked it, null if there were none. */
  readonly maskingKey: Uint8Array | null;
  readonly payload: Uint8Array;
}

/** What `sendFrame` puts on the wire; nothing is checked, so every illegal frame can be made. */
export interface WireFrameInit {
  readonly opcode: number;
  readonly payload?: Uint8Array | string | undefined;
  readonly isFin?: boolean | undefined;
  readonly rsv?: number | undefined;
  /** @defaultValue as the role demands: a client masks, a server does not */
  readonly isMasked?: boolean | undefined;
  /** Announces another length than the payload's, in the 64-bit form if above 65,535. */
  readonly announcedLength?: number | bigint | undefined;
}

/** Encodes one frame, legal or not. */
export function encodeFrame(init: WireFrameInit, isMasked: boolean): Uint8Array {
  const { opcode, isFin = true, rsv = 0 } = init;
  const payload =
    typeof init.payload === "string" ? new TextEncoder().encode(init.payload) : (init.payload ?? new Uint8Array(0));
  const length = BigInt(init.announcedLength ?? payload.byteLength);
  const bytes: number[] = [(isFin ? 0x80 : 0) | (rsv << 4) | opcode];
  const maskBit = isMasked ? 0x80 : 0;
  if (length < 126n) bytes.push(maskBit | Number(length));
  else if (length < 65_536n) bytes.push(maskBit | 126, Number(length >> 8n), Number(length & 255n));
  else {
    bytes.push(maskBit | 127);
    for (let shift = 56n; shift >= 0n; shift -= 8n) bytes.push(Number((length >> shift) & 255n));
  }
  const key = isMasked ? [0x37, 0xfa, 0x21, 0x3d] : [];
  const frame = new Uint8Array(bytes.length + key.length + payload.byteLength);
  frame.set(bytes);
  frame.set(key, bytes.length);
  const start = bytes.length + key.length;
  for (let i = 0; i < payload.byteLength; i++) frame[start + i] = (payload[i] as number) ^ (key[i % 4] ?? 0);
  return frame;
}

/** Decodes the frame at the start of `bytes`; null if it is not complete. */
export function decodeFrame(bytes: Uint8Array): { frame: WireFrame; byteLength: number } | null {
  if (bytes.byteLength < 2) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isMasked = (view.getUint8(1) & 0x80) !== 0;
  let length = view.getUint8(1) & 0x7f;
  let offset = 2;
  if (length === 126) {
    if (bytes.byteLength < 4) return null;
    length = view.getUint16(2);
    offset = 4;
  } else if (length === 127) {
    if (bytes.byteLength < 10) return null;
    length = Number(view.getBigUint64(2));
    offset = 10;
  }
  const keyOffset = offset;
  if (isMasked) offset += 4;
  if (bytes.byteLength < offset + length) return null;
  const payload = bytes.slice(offset, offset + length);
  const maskingKey = isMasked ? bytes.slice(keyOffset, offset) : null;
  if (isMasked)
    for (let i = 0; i < length; i++) payload[i] = (payload[i] as number) ^ view.getUint8(keyOffset + (i % 4));
  const first = view.getUint8(0);
  const frame = { isFin: first >= 0x80, rsv: (first >> 4) & 7, opcode: first & 15, isMasked, maskingKey, payload };
  return { frame, byteLength: offset + length };
}
