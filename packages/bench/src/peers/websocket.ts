import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import websocket, { type Connection } from "websocket";
import type { Adapter, Channel } from "../agent/channel.ts";
import { createEventChannel, nextTurn } from "./event-channel.ts";

/** Its limits on what comes in are lower than the largest message here. */
const LIMITS = { maxReceivedFrameSize: 2 ** 26, maxReceivedMessageSize: 2 ** 26 };

/** The package `websocket` on both ends. */
const adapter: Adapter = {
  takesBuffers: true,
  async listen(setup, onChannel) {
    const http = setup.tls === undefined ? createHttpServer() : createHttpsServer(setup.tls);
    const server = new websocket.server({ httpServer: http, ...LIMITS });
    server.on("request", (request) => onChannel(toChannel(request.accept(null, request.origin))));
    http.listen(0, "127.0.0.1", 1024);
    await once(http, "listening");
    return {
      port: (http.address() as AddressInfo).port,
      async broadcast(message) {
        if (typeof message === "string") server.broadcastUTF(message);
        else server.broadcastBytes(message as Buffer);
        await nextTurn();
        for (const { socket } of server.connections) await untilDrained(socket);
      },
    };
  },
  async connect(url, setup) {
    const client = new websocket.client({ ...LIMITS, tlsOptions: { ca: setup.tls?.cert } });
    client.connect(url);
    const [connection] = (await once(client, "connect")) as [Connection];
    return toChannel(connection);
  },
};
export default adapter;

async function untilDrained(socket: Socket): Promise<void> {
  if (socket.writableNeedDrain) await once(socket, "drain");
}

function toChannel(connection: Connection): Channel {
  const { socket } = connection;
  return createEventChannel({
    onMessage(handler) {
      connection.on("message", (message) => {
        handler(message.type === "utf8" ? message.utf8Data : message.binaryData);
      });
    },
    send(message) {
      if (typeof message === "string") connection.sendUTF(message);
      else connection.sendBytes(message as Buffer);
    },
    async whenWritable() {
      await nextTurn();
      await untilDrained(socket);
    },
    close: () => connection.close(),
    heldBytes: () => ({ in: 0, out: socket.writableLength }),
  });
}
