import type { ByteTransport, ByteTransportListener } from "../../packages/sluice/src/connection/byte-transport.ts";
import { readId } from "./content.ts";
import { CODEC_HEAD_LENGTH } from "./model-codec.ts";

/**
 * Watches what one side writes, frame by frame: notes everything that RFC 6455 forbids, which messages and which Close are
 * on the wire, and how much payload the system has taken. It reads headers and the first bytes of payloads only.
 */
export class WireMonitor implements ByteTransport {
  readonly violations: string[] = [];
  /** Numbers of the data messages whose last frame was written. */
  readonly messages: number[] = [];
  /** The Close frame that was written; 1005 stands for none in it. */
  close: { readonly closeCode: number; readonly reason: string } | null = null;
  readonly #transport: ByteTransport;
  readonly #role: "client" | "server";
  #writtenBytes = 0;
  #closeEnd = Number.POSITIVE_INFINITY;
  /** Data frames: where each ends in the output, and its payload; of a compressed message, that of all with the last. */
  readonly #frames: { readonly end: number; readonly payloadLength: number }[] = [];
  #isCompressed = false;
  #compressedLength = 0;
  #takenFrames = 0;
  #takenPayload = 0;
  readonly #mayCompress: boolean;
  #isInMessage = false;
  #id = Number.NaN;

  // The frame being parsed.
  readonly #header = new Uint8Array(14);
  #headerLength = 0;
  #payloadLength = 0;
  #payloadLeft = 0;
  readonly #start = new Uint8Array(125);
  #startLength = 0;

  /** @param mayCompress whether permessage-deflate, as the model has it, is in use */
  constructor(transport: ByteTransport, role: "client" | "server", mayCompress: boolean) {
    this.#transport = transport;
    this.#role = role;
    this.#mayCompress = mayCompress;
  }

  /** Payload of the data frames that the system has taken whole. */
  get takenPayload(): number {
    const takenBytes = this.#writtenBytes - this.#transport.unsentBytes;
    for (; this.#takenFrames < this.#frames.length; this.#takenFrames++) {
      const { end, payloadLength } = this.#frames[this.#takenFrames] as { end: number; payloadLength: number };
      if (end > takenBytes) break;
      this.#takenPayload += payloadLength;
    }
    return this.#takenPayload;
  }

  /** Whether the system has taken the Close frame. */
  get isCloseTaken(): boolean {
    return this.#closeEnd <= this.#writtenBytes - this.#transport.unsentBytes;
  }

  get unsentBytes(): number {
    return this.#transport.unsentBytes;
  }
  get unreadBytes(): number {
    return this.#transport.unreadBytes;
  }
  get remoteAddress(): string {
    return this.#transport.remoteAddress;
  }
  start(listener: ByteTransportListener): void {
    this.#transport.start(listener);
  }
  write(bytes: Uint8Array): boolean {
    this.#watch(bytes);
    return this.#transport.write(bytes);
  }
  pause(): void {
    this.#transport.pause();
  }
  resume(): void {
    this.#transport.resume();
  }
  end(): void {
    this.#transport.end();
  }
  destroy(): void {
    this.#transport.destroy();
  }
  setReferenced(isReferenced: boolean): void {
    this.#transport.setReferenced(isReferenced);
  }

  #watch(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.byteLength) {
      if (this.#payloadLeft === 0) {
        this.#header[this.#headerLength++] = bytes[offset++] as number;
        this.#writtenBytes++;
        if (!this.#hasWholeHeader()) continue;
        this.#startLength = 0;
        this.#payloadLeft = this.#payloadLength;
      }
      const part = bytes.subarray(offset, offset + this.#payloadLeft);
      const wanted = part.subarray(0, this.#start.byteLength - this.#startLength);
      this.#start.set(wanted, this.#startLength);
      this.#startLength += wanted.byteLength;
      this.#payloadLeft -= part.byteLength;
      this.#writtenBytes += part.byteLength;
      offset += part.byteLength;
      if (this.#payloadLeft === 0) this.#finishFrame();
    }
  }

  #hasWholeHeader(): boolean {
    const header = this.#header;
    if (this.#headerLength < 2) return false;
    const shortLength = (header[1] as number) & 0x7f;
    const extendedLength = shortLength === 126 ? 2 : shortLength === 127 ? 8 : 0;
    const maskLength = (header[1] as number) & 0x80 ? 4 : 0;
    if (this.#headerLength < 2 + extendedLength + maskLength) return false;
    const view = new DataView(header.buffer);
    if (extendedLength === 0) this.#payloadLength = shortLength;
    else if (extendedLength === 2) this.#payloadLength = view.getUint16(2);
    else this.#payloadLength = Number(view.getBigUint64(2));
    const isMinimal = this.#payloadLength >= (extendedLength === 0 ? 0 : extendedLength === 2 ? 126 : 65_536);
    this.#expect(isMinimal, "a length that is not minimal");
    return true;
  }

  #finishFrame(): void {
    const first = this.#header[0] as number;
    const isMasked = ((this.#header[1] as number) & 0x80) !== 0;
    const payload = this.#start.slice(0, this.#startLength);
    if (isMasked) {
      const maskingKey = this.#header.subarray(this.#headerLength - 4);
      for (const [i, byte] of payload.entries()) payload[i] = byte ^ (maskingKey[i & 3] as number);
    }
    this.#headerLength = 0;
    this.#check(first & 0x0f, first, isMasked, payload);
  }

  #check(opcode: number, first: number, isMasked: boolean, payload: Uint8Array): void {
    const isFin = (first & 0x80) !== 0;
    this.#expect(isMasked === (this.#role === "client"), `a frame with the wrong masking (opcode ${opcode})`);
    // RFC 7692 §6: RSV1 on the first frame of a data message only.
    const mayHaveRsv1 = this.#mayCompress && (opcode === 1 || opcode === 2);
    this.#expect((first & 0x70) === 0 || ((first & 0x70) === 0x40 && mayHaveRsv1), "a reserved bit");
    this.#expect([0, 1, 2, 8, 9, 10].includes(opcode), `a reserved opcode (${opcode})`);
    this.#expect(this.close === null || opcode === 10, `something behind its Close (opcode ${opcode})`);
    if (opcode >= 8) {
      this.#expect(isFin && this.#payloadLength <= 125, "a long or fragmented control frame");
      if (opcode === 8) this.#checkClose(payload);
      return;
    }
    this.#expect((opcode === 0) === this.#isInMessage, "a frame out of its place in a message");
    this.#expect(this.#payloadLength <= 131_072, "a frame above 128 KiB");
    if (opcode !== 0) {
      this.#isCompressed = (first & 0x40) !== 0;
      this.#compressedLength = 0;
      const start = this.#isCompressed ? payload.subarray(CODEC_HEAD_LENGTH) : payload;
      this.#id = readId(opcode === 1 ? new TextDecoder().decode(start.subarray(0, 12)) : start);
    }
    this.#compressedLength += this.#payloadLength;
    const whole = isFin ? this.#compressedLength - CODEC_HEAD_LENGTH : 0;
    this.#frames.push({
      end: this.#writtenBytes,
      payloadLength: this.#isCompressed ? whole : this.#payloadLength,
    });
    this.#isInMessage = !isFin;
    if (isFin) this.messages.push(this.#id);
  }

  #checkClose(payload: Uint8Array): void {
    this.#closeEnd = this.#writtenBytes;
    this.close = { closeCode: 1005, reason: "" };
    if (payload.byteLength === 0) return;
    const closeCode = ((payload[0] as number) << 8) | (payload[1] as number);
    const isLegal =
      (closeCode >= 1000 && closeCode <= 1003) ||
      (closeCode >= 1007 && closeCode <= 1014) ||
      (closeCode >= 3000 && closeCode <= 4999);
    this.#expect(payload.byteLength >= 2 && isLegal, `close code ${closeCode}`);
    this.close = { closeCode, reason: new TextDecoder().decode(payload.subarray(2)) };
  }

  #expect(holds: boolean, text: string): void {
    if (!holds) this.violations.push(`${this.#role} sent ${text}`);
  }
}
