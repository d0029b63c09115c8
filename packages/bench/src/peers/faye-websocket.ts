import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import FayeWebSocket from "faye-websocket";
import type { Adapter, Channel } from "../agent/channel.ts";
import type { Message } from "../agent/payloads.ts";
import { createEventChannel, nextTurn } from "./event-channel.ts";

/** faye-websocket on both ends. */
const adapter: Adapter = {
  takesBuffers: true,
  async listen(setup, onChannel) {
    const http = setup.tls === undefined ? createHttpServer() : createHttpsServer(setup.tls);
    http.on("upgrade", (request, socket, head) => {
      const faye = new FayeWebSocket(request, socket, head);
      faye.on("open", () => onChannel(toChannel(faye)));
    });
    http.listen(0, "127.0.0.1", 1024);
    await once(http, "listening");
    return { port: (http.address() as AddressInfo).port };
  },
  async connect(url, setup) {
    const faye = new FayeWebSocket.Client(url, [], { tls: { ca: setup.tls?.cert } });
    await once(faye, "open");
    return toChannel(faye);
  },
};
export default adapter;

function toChannel(faye: FayeWebSocket): Channel {
  // It has no way to tell a backlog (`bufferedAmount` is always 0); this is what a careful user has to look at.
  const { _stream: socket } = faye as unknown as { _stream: Socket };
  return createEventChannel({
    onMessage(handler) {
      faye.on("message", ({ data }: { data: Message }) => handler(data));
    },
    send: (message) => void faye.send(message as Buffer),
    async whenWritable() {
      await nextTurn();
      if (socket.writableNeedDrain) await once(socket, "drain");
    },
    close: () => faye.close(),
    heldBytes: () => ({ in: 0, out: socket.writableLength }),
  });
}
