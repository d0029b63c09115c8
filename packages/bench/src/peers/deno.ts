import type { Adapter } from "../agent/channel.ts";
import { createStreamChannel, type StreamPair } from "./stream-channel.ts";
import { createWebSocketChannel } from "./web-socket-channel.ts";

/** What is used of Deno. */
declare const Deno: {
  serve(options: object, handler: (request: Request) => Response): { readonly addr: { readonly port: number } };
  upgradeWebSocket(request: Request, options: object): { socket: WebSocket; response: Response };
};
interface DenoWebSocketStream {
  readonly opened: Promise<Pick<StreamPair, "readable" | "writable">>;
  close(): void;
}

/** Deno's server, with the events that it has, and its WebSocketStream as the client. */
const adapter: Adapter = {
  async listen(setup, onChannel) {
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {}, ...setup.tls }, (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
      socket.binaryType = "arraybuffer";
      socket.onopen = () => onChannel(createWebSocketChannel(socket));
      return response;
    });
    return { port: server.addr.port };
  },
  async connect(url) {
    const { WebSocketStream } = globalThis as unknown as { WebSocketStream: new (url: string) => DenoWebSocketStream };
    const stream = new WebSocketStream(url);
    const { readable, writable } = await stream.opened;
    return createStreamChannel({ readable, writable, close: () => stream.close() });
  },
};
export default adapter;
