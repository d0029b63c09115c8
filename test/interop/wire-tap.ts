import net from "node:net";
import { listen } from "../support/listen.ts";

/** One frame as it went over the wire. */
export interface TappedFrame {
  readonly from: "client" | "server";
  readonly opcode: number;
  readonly isFin: boolean;
  readonly isCompressed: boolean;
  readonly byteLength: number;
  /** Unmasked payload of a control frame; empty for data. */
  readonly payload: Buffer;
}

/** The Close frame's content; 1005 for an empty one (RFC 6455 §7.1.5). */
export function readClose(frame: TappedFrame): { closeCode: number; reason: string } {
  if (frame.payload.byteLength < 2) return { closeCode: 1005, reason: "" };
  return { closeCode: frame.payload.readUInt16BE(0), reason: frame.payload.subarray(2).toString() };
}

/** What one connection through a tap has shown so far. */
export class TappedConnection {
  readonly frames: TappedFrame[] = [];
  /** Path and query of the request; empty until its head has come. */
  path = "";
  /** The head of the response. */
  responseHead = "";
  #wake = new Set<() => void>();

  /** Waits for a frame. */
  async frame(isWanted: (frame: TappedFrame) => boolean): Promise<TappedFrame> {
    for (;;) {
      const frame = this.frames.find(isWanted);
      if (frame !== undefined) return frame;
      await new Promise<void>((resolve) => this.#wake.add(resolve));
    }
  }

  /** The Close frame of one side, if it sent one. */
  closeOf(from: TappedFrame["from"]): { closeCode: number; reason: string } | null {
    const frame = this.frames.find((candidate) => candidate.from === from && candidate.opcode === 0x8);
    return frame === undefined ? null : readClose(frame);
  }

  /** Data frames of one side. */
  dataOf(from: TappedFrame["from"]): TappedFrame[] {
    return this.frames.filter((frame) => frame.from === from && frame.opcode < 0x8);
  }

  /** @internal */
  add(frame: TappedFrame): void {
    this.frames.push(frame);
    const waiting = [...this.#wake];
    this.#wake.clear();
    for (const wake of waiting) wake();
  }
}

/**
 * A relay between two peers that notes every frame. It tells what really was sent, which no peer's interface shows in full,
 * and it passes an end (FIN) and a reset (RST) on as what they are.
 */
export class WireTap {
  readonly port: number;
  readonly connections: TappedConnection[] = [];
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(server: net.Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** Opens a port whose connections are relayed to another one. */
  static async open(targetPort: number): Promise<WireTap> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    const tap = new WireTap(server, await listen(server));
    server.on("connection", (socket) => tap.#relay(socket, targetPort));
    return tap;
  }

  /** The newest connection. @throws {Error} if there was none */
  get last(): TappedConnection {
    const connection = this.connections.at(-1);
    if (connection === undefined) throw new Error("Nobody has connected through the tap");
    return connection;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #relay(client: net.Socket, targetPort: number): void {
    const server = net.connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const connection = new TappedConnection();
    this.connections.push(connection);
    this.#join(client, server, new FrameReader("client", connection));
    this.#join(server, client, new FrameReader("server", connection));
  }

  #join(source: net.Socket, target: net.Socket, reader: FrameReader): void {
    this.#sockets.add(source);
    source.on("data", (chunk) => reader.read(chunk));
    source.pipe(target);
    source.on("error", () => target.resetAndDestroy());
    source.on("close", () => {
      this.#sockets.delete(source);
      if (!target.writableEnded) target.end();
    });
  }
}

/** Reads one direction: an HTTP head, then frames (RFC 6455 §5.2). Of data it keeps the headers only. */
class FrameReader {
  readonly #from: TappedFrame["from"];
  readonly #connection: TappedConnection;
  #state: "head" | "frames" | "other" = "head";
  #buffered: Buffer = Buffer.alloc(0);
  #skipBytes = 0;

  constructor(from: TappedFrame["from"], connection: TappedConnection) {
    this.#from = from;
    this.#connection = connection;
  }

  read(chunk: Buffer): void {
    if (this.#state === "other") return;
    const skipped = Math.min(this.#skipBytes, chunk.byteLength);
    this.#skipBytes -= skipped;
    if (skipped === chunk.byteLength) return;
    this.#buffered = Buffer.concat([this.#buffered, chunk.subarray(skipped)]);
    while (this.#state === "head" ? this.#readHead() : this.#readFrame()) {
      // Each call takes one head or one frame out of the buffer.
    }
  }

  #readHead(): boolean {
    const end = this.#buffered.indexOf("\r\n\r\n");
    if (end === -1) return false;
    const head = this.#buffered.subarray(0, end).toString("latin1");
    this.#buffered = this.#buffered.subarray(end + 4);
    if (this.#from === "client") {
      this.#connection.path = head.split(" ", 2)[1];
      this.#state = /^upgrade:\s*websocket/im.test(head) ? "frames" : "other";
    } else {
      this.#connection.responseHead = head;
      this.#state = head.startsWith("HTTP/1.1 101") ? "frames" : "other";
    }
    return this.#state === "frames";
  }

  #readFrame(): boolean {
    const bytes = this.#buffered;
    if (bytes.byteLength < 2) return false;
    const opcode = bytes[0] & 0x0f;
    const hasMask = bytes[1] >= 0x80;
    let offset = 2;
    let byteLength = bytes[1] & 0x7f;
    if (byteLength === 126) {
      if (bytes.byteLength < 4) return false;
      byteLength = bytes.readUInt16BE(2);
      offset = 4;
    } else if (byteLength === 127) {
      if (bytes.byteLength < 10) return false;
      byteLength = Number(bytes.readBigUInt64BE(2));
      offset = 10;
    }
    const maskOffset = offset;
    if (hasMask) offset += 4;
    const isControl = opcode >= 0x8;
    if (bytes.byteLength < offset + (isControl ? byteLength : 0)) return false;
    const payload = isControl ? Buffer.from(bytes.subarray(offset, offset + byteLength)) : Buffer.alloc(0);
    if (hasMask) for (let index = 0; index < payload.length; index++) payload[index] ^= bytes[maskOffset + (index & 3)];
    const available = Math.min(byteLength, bytes.byteLength - offset);
    this.#buffered = bytes.subarray(offset + available);
    this.#skipBytes = byteLength - available;
    this.#connection.add({
      from: this.#from,
      opcode,
      isFin: (bytes[0] & 0x80) !== 0,
      isCompressed: (bytes[0] & 0x40) !== 0,
      byteLength,
      payload,
    });
    return this.#skipBytes === 0;
  }
}
