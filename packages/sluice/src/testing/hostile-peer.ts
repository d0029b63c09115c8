import type { ByteTransport } from "../connection/byte-transport.ts";

/** A frame as it came over the wire, unmasked. */
export interface WireFrame {
  readonly isFin: boolean;
  /** The three reserved bits, RSV1 as 4, RSV2 as 2, RSV3 as 1. */
  readonly rsv: number;
  readonly opcode: number;
  readonly isMasked: boolean;
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

/**
 * A peer that keeps no rule unless told to: it sends whatever bytes a test wants, reads when it is told, answers nothing by
 * itself, and records what it gets. It has frame code of its own, so that it does not share the library's mistakes.
 */
export class HostilePeer {
  readonly #transport: ByteTransport;
  readonly #role: "client" | "server";
  #buffer: Uint8Array = new Uint8Array(0);
  /** All complete frames received so far. */
  readonly frames: WireFrame[] = [];
  /** Bytes received, framing included. */
  bytesReceived = 0;
  /** The other side sent FIN. */
  hasEnded = false;
  /** The transport is gone. */
  isClosed = false;
  error: Error | null = null;

  /** @param role what the peer pretends to be; it decides whether its frames are masked */
  constructor(transport: ByteTransport, role: "client" | "server") {
    this.#transport = transport;
    this.#role = role;
    transport.start({
      onData: (chunk) => this.#receive(chunk),
      onAccepted: () => {},
      onEnd: () => {
        this.hasEnded = true;
      },
      onClose: (error) => {
        this.isClosed = true;
        this.error = error;
      },
    });
    transport.resume();
  }

  send(bytes: Uint8Array | readonly number[]): void {
    this.#transport.write(Uint8Array.from(bytes));
  }

  sendFrame(init: WireFrameInit): void {
    this.#transport.write(encodeFrame(init, init.isMasked ?? this.#role === "client"));
  }

  sendText(text: string): void {
    this.sendFrame({ opcode: 1, payload: text });
  }

  sendBinary(bytes: Uint8Array): void {
    this.sendFrame({ opcode: 2, payload: bytes });
  }

  /** A Close frame; without a code it has no body. */
  sendClose(closeCode?: number, reason: string = ""): void {
    const text = new TextEncoder().encode(reason);
    const body = closeCode === undefined ? [] : [closeCode >> 8, closeCode & 255, ...text];
    this.sendFrame({ opcode: 8, payload: Uint8Array.from(body) });
  }

  /** Frames with this opcode. */
  framesOf(opcode: number): WireFrame[] {
    return this.frames.filter((frame) => frame.opcode === opcode);
  }

  /** The bodies of all Close frames, as `[code, reason]`, `[]` for an empty body. */
  get closes(): (readonly [] | readonly [number, string])[] {
    return this.framesOf(8).map(({ payload }) =>
      payload.byteLength < 2
        ? []
        : [((payload[0] as number) << 8) | (payload[1] as number), new TextDecoder().decode(payload.subarray(2))],
    );
  }

  /** Stops reading, so that the other side's output backs up. */
  pause(): void {
    this.#transport.pause();
  }

  resume(): void {
    this.#transport.resume();
  }

  /** FIN. */
  end(): void {
    this.#transport.end();
  }

  /** Ends without a closing handshake. */
  destroy(): void {
    this.#transport.destroy();
  }

  #receive(chunk: Uint8Array): void {
    this.bytesReceived += chunk.byteLength;
    const joined = new Uint8Array(this.#buffer.byteLength + chunk.byteLength);
    joined.set(this.#buffer);
    joined.set(chunk, this.#buffer.byteLength);
    let offset = 0;
    for (;;) {
      const decoded = decodeFrame(joined.subarray(offset));
      if (decoded === null) break;
      this.frames.push(decoded.frame);
      offset += decoded.byteLength;
    }
    this.#buffer = joined.slice(offset);
  }
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
  if (isMasked)
    for (let i = 0; i < length; i++) payload[i] = (payload[i] as number) ^ view.getUint8(keyOffset + (i % 4));
  const first = view.getUint8(0);
  const frame = { isFin: first >= 0x80, rsv: (first >> 4) & 7, opcode: first & 15, isMasked, payload };
  return { frame, byteLength: offset + length };
}
