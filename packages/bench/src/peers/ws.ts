import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import type { Adapter, Channel, ConnectionSetup } from "../agent/channel.ts";
import type { Message } from "../agent/payloads.ts";
import { BACKLOG_BYTES, createEventChannel, nextTurn } from "./event-channel.ts";

const DEFLATE = { threshold: 0 };

/** How the variants of this adapter make a channel of a socket. */
export type ToChannel = (socket: WebSocket, setup: ConnectionSetup) => Channel;

/** `ws` on both ends. */
export function createWsAdapter(toChannel: ToChannel): Required<Adapter> {
  return {
    takesBuffers: true,
    async listen(setup, onChannel) {
      const http = setup.tls === undefined ? createHttpServer() : createHttpsServer(setup.tls);
      const server = new WebSocketServer({ server: http, perMessageDeflate: setup.deflate === true ? DEFLATE : false });
      server.on("connection", (socket) => onChannel(toChannel(socket, setup)));
      http.listen(0, "127.0.0.1", 1024);
      await once(http, "listening");
      return {
        port: (http.address() as AddressInfo).port,
        // As its README does it; the callback of the last is what tells that there is room again.
        broadcast(message) {
          return new Promise((resolve) => {
            let left = server.clients.size;
            for (const client of server.clients) {
              client.send(message, () => {
                if (--left === 0) resolve();
              });
            }
          });
        },
      };
    },
    connect: (url, setup) => openWs(url, setup).then((socket) => toChannel(socket, setup)),
  };
}

async function openWs(url: string, setup: ConnectionSetup): Promise<WebSocket> {
  const socket = new WebSocket(url, {
    perMessageDeflate: setup.deflate === true ? DEFLATE : false,
    ca: setup.tls?.cert,
  });
  await once(socket, "open");
  return socket;
}

/** The event API; a text message is turned into the string that every other library gives. */
export function toEventChannel(socket: WebSocket, options: { isCorked: boolean; isDeflated: boolean }): Channel {
  const { _socket: raw } = socket as unknown as { _socket: import("node:net").Socket };
  // While it compresses, the backlog is in its own queue, and the socket has nothing to tell about that.
  let onSent = (): void => {};
  const handleSent = (): void => onSent();
  return createEventChannel({
    onMessage(handler: (message: Message) => void) {
      socket.on("message", (data, isBinary) => handler(isBinary ? (data as Buffer) : data.toString()));
    },
    send: options.isDeflated ? (message) => socket.send(message, handleSent) : (message) => socket.send(message),
    async whenWritable() {
      if (socket.bufferedAmount <= BACKLOG_BYTES) return nextTurn();
      if (!options.isDeflated) return void (await once(raw, "drain"));
      await new Promise<void>((resolve) => {
        onSent = () => {
          if (socket.bufferedAmount <= BACKLOG_BYTES) resolve();
        };
      });
    },
    ...(options.isCorked && {
      batch(run: () => void) {
        raw.cork();
        run();
        raw.uncork();
      },
    }),
    close: () => socket.close(),
    heldBytes: () => ({ in: 0, out: socket.bufferedAmount }),
  });
}

export default createWsAdapter((socket, { deflate }) =>
  toEventChannel(socket, { isCorked: false, isDeflated: deflate === true }),
);
