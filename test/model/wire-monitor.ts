import type { ByteTransport, ByteTransportListener } from "../../packages/sluice/src/connection/byte-transport.ts";
import { decodeFrame } from "../../packages/sluice/src/testing/hostile-peer.ts";

/** Watches what one side writes, frame by frame, and notes everything that RFC 6455 forbids. */
export class WireMonitor implements ByteTransport {
  readonly violations: string[] = [];
  readonly #transport: ByteTransport;
  readonly #role: "client" | "server";
  #rest: Uint8Array = new Uint8Array(0);
  #isInMessage = false;
  #hasClosed = false;

  constructor(transport: ByteTransport, role: "client" | "server") {
    this.#transport = transport;
    this.#role = role;
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
    const joined = new Uint8Array(this.#rest.byteLength + bytes.byteLength);
    joined.set(this.#rest);
    joined.set(bytes, this.#rest.byteLength);
    let offset = 0;
    for (let next = decodeFrame(joined); next !== null; next = decodeFrame(joined.subarray(offset))) {
      this.#check(next.frame);
      offset += next.byteLength;
    }
    this.#rest = joined.slice(offset);
  }

  #check(frame: { opcode: number; isFin: boolean; isMasked: boolean; rsv: number; payload: Uint8Array }): void {
    const { opcode, isFin, isMasked, payload } = frame;
    const expect = (holds: boolean, text: string): void => {
      if (!holds) this.violations.push(`${this.#role} sent ${text} (opcode ${opcode})`);
    };
    expect(isMasked === (this.#role === "client"), "a frame with the wrong masking");
    expect(frame.rsv === 0, "a reserved bit");
    expect([0, 1, 2, 8, 9, 10].includes(opcode), "a reserved opcode");
    expect(!this.#hasClosed || opcode === 10, "something behind its Close");
    if (opcode >= 8) {
      expect(isFin && payload.byteLength <= 125, "a long or fragmented control frame");
      if (opcode === 8) this.#checkClose(payload, expect);
      return;
    }
    expect((opcode === 0) === this.#isInMessage, "a frame out of its place in a message");
    this.#isInMessage = !isFin;
  }

  #checkClose(payload: Uint8Array, expect: (holds: boolean, text: string) => void): void {
    this.#hasClosed = true;
    if (payload.byteLength === 0) return;
    const code = ((payload[0] as number) << 8) | (payload[1] as number);
    const isLegal = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
    expect(payload.byteLength >= 2 && isLegal, `close code ${code}`);
  }
}
