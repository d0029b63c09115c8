import { Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createWebSocketStream } from "ws";
import type { Message } from "../agent/payloads.ts";
import { createWsAdapter } from "./ws.ts";

/** `createWebSocketStream` of `ws`: a Duplex whose backpressure works. In object mode, so that messages stay messages. */
export default createWsAdapter((socket) => {
  const duplex = createWebSocketStream(socket, { readableObjectMode: true, decodeStrings: false });
  const drained = (): Promise<void> => new Promise((resolve) => duplex.once("drain", resolve));
  return {
    receive: (receiver) => void duplex.on("data", (message: Message) => receiver.onMessage(message)),
    async sendAll(source) {
      for (let message = source.next(); message !== undefined; message = source.next()) {
        if (!duplex.write(message)) await drained();
      }
    },
    async sendBurst(source, count) {
      let hasRoom = true;
      for (let sent = 0; sent < count; sent++) {
        const message = source.next();
        if (message === undefined) break;
        hasRoom = duplex.write(message);
      }
      if (!hasRoom) await drained();
    },
    send: (message) => void duplex.write(message),
    echo: () => void duplex.pipe(duplex),
    async receiveSlowly(take) {
      for await (const message of duplex) await take(message as Message);
    },
    receiveThroughTransform(receiver) {
      const transform = new Transform({
        objectMode: true,
        transform: (message, _encoding, callback) => callback(null, message),
      });
      const sink = new Writable({
        objectMode: true,
        write(message: Message, _encoding, callback) {
          receiver.onMessage(message);
          callback();
        },
      });
      pipeline(duplex, transform, sink);
    },
    heldBytes: () => ({ in: duplex.readableLength, out: socket.bufferedAmount + duplex.writableLength }),
    close: () => socket.close(),
  };
});
