import { once } from "node:events";
import { type AddressInfo, createServer, connect as netConnect, type Socket } from "node:net";
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls";
import type { Adapter, Channel, Source } from "../agent/channel.ts";
import type { Message } from "../agent/payloads.ts";

/*
 * Plain sockets, without WebSocket: the same payload bytes, as many to a write as fit into 64 KiB. It is the limit: what the
 * harness itself and the system allow. Receives as Node's documentation advises for speed, into one buffer.
 */

const BLOCK_BYTES = 65_536;
/** One buffer for all sockets of the process, read into and handed on synchronously: what Unix systems allow. */
const readBuffer = Buffer.alloc(262_144);

/** Bytes over TCP, or over TLS. */
const adapter: Adapter = {
  takesBuffers: true,
  async listen(setup, onChannel) {
    const accept = (socket: Socket) => onChannel(createChannel(socket, setup.bytes));
    const server =
      setup.tls === undefined ? createServer({ noDelay: true }, accept) : createTlsServer(setup.tls, accept);
    server.listen(0, "127.0.0.1", 1024);
    await once(server, "listening");
    return { port: (server.address() as AddressInfo).port };
  },
  async connect(url, setup) {
    const { hostname: host, port } = new URL(url);
    const channels: { onBytes: (bytes: Uint8Array) => void } = { onBytes: () => {} };
    const onread = {
      buffer: readBuffer,
      callback(length: number, buffer: Uint8Array) {
        channels.onBytes(buffer.subarray(0, length));
        return true;
      },
    };
    const socket =
      setup.tls === undefined
        ? netConnect({ host, port: Number(port), noDelay: true, onread })
        : (tlsConnect({ host, port: Number(port), ca: setup.tls.cert, onread } as object) as Socket);
    await once(socket, setup.tls === undefined ? "connect" : "secureConnect");
    return createChannel(socket, setup.bytes, (handler) => {
      channels.onBytes = handler;
    });
  },
};
export default adapter;

type Subscribe = (handler: (bytes: Uint8Array) => void) => void;

function createChannel(
  socket: Socket,
  messageBytes: number,
  subscribe: Subscribe = (handler) => void socket.on("data", handler),
): Channel {
  const perBlock = Math.max(1, Math.floor(BLOCK_BYTES / messageBytes));
  const blocks = new Map<Message, Uint8Array>();
  const write = (bytes: Uint8Array): Promise<void> | undefined => {
    if (socket.write(bytes)) return undefined;
    return new Promise((resolve) => socket.once("drain", resolve));
  };

  /** A block of whole messages, in the order of the source. Made once for each payload that a block can start with. */
  function takeBlock(source: Source, most: number): Uint8Array | undefined {
    const first = source.next();
    if (first === undefined || first.length === 0) return undefined;
    if (most === 1) return first as Uint8Array;
    const parts = [first];
    while (parts.length < most) {
      const next = source.next();
      if (next === undefined || next.length === 0) break;
      parts.push(next);
    }
    if (parts.length < most) return Buffer.concat(parts.map((part) => Buffer.from(part as string)));
    let block = blocks.get(first);
    if (block === undefined) {
      block = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
      blocks.set(first, block);
    }
    return block;
  }

  return {
    receive: (receiver) => subscribe((bytes) => receiver.onBytes(bytes)),
    async sendAll(source) {
      for (let block = takeBlock(source, perBlock); block !== undefined; block = takeBlock(source, perBlock)) {
        const room = write(block);
        if (room === undefined) await new Promise((resolve) => setImmediate(resolve));
        else await room;
      }
    },
    async sendBurst(source, count) {
      const block = takeBlock(source, count);
      if (block !== undefined) await write(block);
      await new Promise((resolve) => setImmediate(resolve));
    },
    send: (message) => void socket.write(message),
    echo: () => subscribe((bytes) => void socket.write(Buffer.from(bytes))),
    async receiveSlowly(take) {
      for await (const bytes of socket) await take(bytes as Uint8Array);
    },
    heldBytes: () => ({ in: 0, out: socket.writableLength }),
    close: () => socket.destroy(),
  };
}
