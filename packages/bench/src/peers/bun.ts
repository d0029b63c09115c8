import type { Adapter, Channel } from "../agent/channel.ts";
import type { Message } from "../agent/payloads.ts";
import { createEventChannel, nextTurn } from "./event-channel.ts";
import { openWebSocket } from "./web-socket-channel.ts";

/** What is used of Bun's server. */
interface BunSocket {
  data: Inbox;
  send(message: Message, isCompressed: boolean): number;
  cork(run: () => void): void;
  close(): void;
  getBufferedAmount(): number;
}
interface Inbox {
  onMessage: (message: Message) => void;
  onDrain: (() => void) | null;
}
interface BunServer {
  readonly port: number;
  upgrade(request: Request, options: { data: Inbox }): boolean;
  publish(topic: string, message: Message): number;
}
declare const Bun: { serve(options: object): BunServer };

/** Bun's own server (uWebSockets) and client. */
const adapter: Adapter = {
  async listen(setup, onChannel) {
    let opened = 0;
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      ...(setup.tls && { tls: setup.tls }),
      fetch(request: Request, self: BunServer) {
        const data: Inbox = { onMessage: () => {}, onDrain: null };
        return self.upgrade(request, { data }) ? undefined : new Response("", { status: 426 });
      },
      websocket: {
        perMessageDeflate: setup.deflate === true,
        maxPayloadLength: 2 ** 26,
        backpressureLimit: 2 ** 30,
        open(socket: BunSocket & { subscribe(topic: string): void }) {
          opened++;
          socket.subscribe("all");
          onChannel(toChannel(socket, setup.deflate === true));
        },
        message: (socket: BunSocket, message: Message) => socket.data.onMessage(message),
        drain: (socket: BunSocket) => socket.data.onDrain?.(),
      },
    });
    return {
      port: server.port,
      async broadcast(message) {
        if (opened > 0) server.publish("all", message);
        await nextTurn();
      },
    };
  },
  connect(url, setup) {
    const Client = WebSocket as unknown as new (url: string, options?: object) => WebSocket;
    return openWebSocket(new Client(url, setup.tls && { tls: { ca: setup.tls.cert } }));
  },
};
export default adapter;

function toChannel(socket: BunSocket, isDeflated: boolean): Channel {
  let isBlocked = false;
  return createEventChannel({
    onMessage(handler) {
      socket.data.onMessage = handler;
    },
    send(message) {
      // -1: it was queued, as the system takes no more.
      if (socket.send(message, isDeflated) === -1) isBlocked = true;
    },
    batch: (run) => socket.cork(run),
    whenWritable() {
      if (!isBlocked) return nextTurn();
      isBlocked = false;
      if (socket.getBufferedAmount() === 0) return nextTurn();
      return new Promise((resolve) => {
        socket.data.onDrain = resolve;
      });
    },
    close: () => socket.close(),
    heldBytes: () => ({ in: 0, out: socket.getBufferedAmount() }),
  });
}
