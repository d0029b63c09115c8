import type { ByteTransport } from "../connection/byte-transport.ts";
import { deflateBomb } from "./deflate-bomb.ts";
import { decodeFrame, encodeFrame, type WireFrame, type WireFrameInit } from "./wire-frame.ts";

/** What a hostile peer sits on; one that cannot be reset is destroyed instead. */
export interface HostileTransport extends ByteTransport {
  /** Ends both sides at once with RST. */
  reset?(): void;
}

/**
 * A peer that keeps no rule unless told to: it sends whatever bytes a test wants, reads when it is told, answers nothing by
 * itself, and records what it gets. It has frame code of its own, so that it does not share the library's mistakes.
 *
 * Over sockets {@link connectHostile} makes a hostile client, and a {@link HostileServer} hostile servers.
 *
 * @example
 * ```ts
 * import { serve } from "sluice/server";
 * import { connectHostile } from "sluice/testing";
 *
 * await using server = await serve({ port: 0, host: "127.0.0.1" }, async (stream) => {
 *   const { readable, writable } = await stream.opened;
 *   await readable.pipeTo(writable);
 * });
 * const peer = await connectHostile((await server.listening).url);
 * peer.sendFrame({ opcode: 9, isFin: false }); // a Ping in fragments
 * await peer.until(() => peer.closes.length > 0);
 * console.log(peer.closes[0]?.[0]); // 1002
 * peer.destroy();
 * ```
 */
export class HostilePeer {
  readonly #transport: HostileTransport;
  readonly #role: "client" | "server";
  #buffer: Uint8Array = new Uint8Array(0);
  #readsHead: boolean;
  #hasVanished = false;
  #waiting: (() => void)[] = [];
  /** All complete frames received so far. */
  readonly frames: WireFrame[] = [];
  /** The head of the handshake that the other side sent, with its empty line; `""` before it came, and over memory. */
  head: string = "";
  /** Bytes received, framing included. */
  bytesReceived = 0;
  /** The other side sent FIN. */
  hasEnded = false;
  /** The transport is gone. */
  isClosed = false;
  error: Error | null = null;

  /**
   * @param role what the peer pretends to be; it decides whether its frames are masked
   * @param options `readsHead`: the other side's handshake comes first. @defaultValue false, as over memory there is none
   */
  constructor(transport: HostileTransport, role: "client" | "server", options: { readsHead?: boolean } = {}) {
    this.#transport = transport;
    this.#role = role;
    this.#readsHead = options.readsHead ?? false;
    transport.start({
      onData: (chunk) => {
        this.#receive(chunk);
        this.#wake();
      },
      onAccepted: () => this.#wake(),
      onEnd: () => {
        this.hasEnded = true;
        this.#wake();
      },
      onClose: (error) => {
        this.isClosed = true;
        this.error = error;
        this.#wake();
      },
    });
    transport.resume();
  }

  /** @param bytes strings as Latin-1 */
  send(bytes: Uint8Array | readonly number[] | string): void {
    if (this.#hasVanished) return;
    this.#transport.write(typeof bytes === "string" ? fromLatin1(bytes) : Uint8Array.from(bytes));
  }

  sendFrame(init: WireFrameInit): void {
    this.send(this.#encode(init));
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

  /**
   * A compressed binary message of zeros, about a thousandth as long on the wire; needs permessage-deflate.
   *
   * @param byteLength what it inflates to
   * @param fragments how many frames it comes in
   */
  sendBomb(byteLength: number, fragments: number = 1): void {
    const payload = deflateBomb(byteLength);
    const step = Math.ceil(payload.byteLength / fragments);
    for (let index = 0; index < fragments; index++) {
      const part = payload.subarray(index * step, (index + 1) * step);
      const isFirst = index === 0;
      this.sendFrame({
        opcode: isFirst ? 2 : 0,
        rsv: isFirst ? 4 : 0,
        isFin: index === fragments - 1,
        payload: part,
      });
    }
  }

  /** Sends so many bytes at a time, each part in a task of its own. Over sockets. */
  async dribble(bytes: Uint8Array | string, byteLength: number = 1): Promise<void> {
    const all = typeof bytes === "string" ? fromLatin1(bytes) : bytes;
    for (let start = 0; start < all.byteLength && !this.isClosed; start += byteLength) {
      this.send(all.subarray(start, start + byteLength));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /**
   * Sends the same frame, or the same bytes, again and again, as fast as they are taken. Stops early when the other side has
   * had enough: when it ended, sent a Close frame, or is gone.
   *
   * @returns how many were sent
   */
  async flood(unit: WireFrameInit | Uint8Array, count: number): Promise<number> {
    const one = unit instanceof Uint8Array ? unit : this.#encode(unit);
    const perWrite = Math.max(1, Math.floor(65_536 / one.byteLength));
    let sent = 0;
    while (sent < count) {
      await this.until(() => this.#transport.unsentBytes < 65_536 || this.#isRefused).catch(() => {});
      if (this.#isRefused) break;
      const times = Math.min(perWrite, count - sent);
      const bytes = new Uint8Array(one.byteLength * times);
      for (let index = 0; index < times; index++) bytes.set(one, index * one.byteLength);
      this.send(bytes);
      sent += times;
    }
    return sent;
  }

  get #isRefused(): boolean {
    return this.isClosed || this.hasEnded || this.#hasVanished || this.frames.some(({ opcode }) => opcode === 8);
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

  /** The status of the HTTP response in {@link head}; null if that is none. */
  get statusCode(): number | null {
    const status = /^HTTP\/\d\.\d (\d{3})/.exec(this.head)?.[1];
    return status === undefined ? null : Number(status);
  }

  /** What came behind the last complete frame; where the handshake was refused, the body of the response so far. */
  get rest(): Uint8Array {
    return this.#buffer;
  }

  /** Waits until `isTrue` holds; it is asked whenever something happened here. @throws {Error} if the connection ends before */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      if (this.isClosed) throw new Error(`The connection ended before this held: ${isTrue}`, { cause: this.error });
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Stops reading, so that the other side's output backs up. */
  pause(): void {
    this.#transport.pause();
  }

  resume(): void {
    if (!this.#hasVanished) this.#transport.resume();
  }

  /** From now on nothing is read, sent or ended, as if the machine was gone; only the system still takes what fits its buffer. */
  vanish(): void {
    this.#hasVanished = true;
    this.#transport.pause();
  }

  /** FIN. */
  end(): void {
    this.#transport.end();
  }

  /** Ends without a closing handshake. */
  destroy(): void {
    this.#transport.destroy();
  }

  /** RST: what is on its way may be lost, and the other side sees an error. */
  reset(): void {
    if (this.#transport.reset === undefined) this.#transport.destroy();
    else this.#transport.reset();
  }

  #encode(init: WireFrameInit): Uint8Array {
    return encodeFrame(init, init.isMasked ?? this.#role === "client");
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #receive(chunk: Uint8Array): void {
    this.bytesReceived += chunk.byteLength;
    const joined = new Uint8Array(this.#buffer.byteLength + chunk.byteLength);
    joined.set(this.#buffer);
    joined.set(chunk, this.#buffer.byteLength);
    let offset = this.#readsHead ? this.#readHead(joined) : 0;
    // A response that is no 101 is followed by a body, not by frames.
    const isRefusal = this.statusCode !== null && this.statusCode !== 101;
    while (!this.#readsHead && !isRefusal) {
      const decoded = decodeFrame(joined.subarray(offset));
      if (decoded === null) break;
      this.frames.push(decoded.frame);
      offset += decoded.byteLength;
    }
    this.#buffer = joined.slice(offset);
  }

  /** @returns the bytes of the head; 0 while it is not complete */
  #readHead(bytes: Uint8Array): number {
    const text = new TextDecoder("latin1").decode(bytes);
    const end = text.indexOf("\r\n\r\n") + 4;
    if (end < 4) return 0;
    this.head = text.slice(0, end);
    this.#readsHead = false;
    return end;
  }
}

function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
