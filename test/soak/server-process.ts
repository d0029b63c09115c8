import type { ServerWebSocketStream } from "../../packages/sluice/src/server.ts";
import { type ServerOptions, serve, type WebSocketStreamServer } from "../../packages/sluice/src/server.ts";
import { StreamChannel } from "./channel.ts";
import { CREDIT_WINDOW_BYTES } from "./held-bounds.ts";
import { KEEP_ALIVE } from "./keep-alive.ts";
import { MAX_MESSAGE_BYTES } from "./messages.ts";
import type { Order, ServerOrder } from "./orders.ts";
import { describeError, Participant, send, watchProcess } from "./participant.ts";
import { fromURL } from "./plan.ts";

/* The server's process: two listeners, one of them with TLS, that give every connection to a session. */

let participant: Participant | null = null;
const servers: WebSocketStreamServer[] = [];
watchProcess((category, text) => participant?.fault(category, text));

async function start({ seed, key, cert }: ServerOrder): Promise<void> {
  const own = new Participant("server", seed);
  participant = own;
  const handle = (stream: ServerWebSocketStream): Promise<void> => {
    return own.run(fromURL(stream.url), new StreamChannel(stream), () => stream.request.socket.destroy());
  };
  const settings: Partial<ServerOptions> = {
    host: "127.0.0.1",
    keepAlive: KEEP_ALIVE,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    perMessageDeflate: true,
    credit: { windowBytes: CREDIT_WINDOW_BYTES, maxWindowBytes: CREDIT_WINDOW_BYTES },
    // A process may be killed in the middle of a handshake: that is none.
    onError: (error) => own.fault("server", describeError(error)),
  };
  servers.push(await serve({ ...settings, port: 0 } as ServerOptions, handle));
  servers.push(await serve({ ...settings, port: 0, tls: { key, cert } } as ServerOptions, handle));
  const [plain, tls] = await Promise.all(servers.map(async (server) => (await server.listening).url));
  send({ type: "listening", urls: { plain: plain as string, tls: tls as string } });
}

process.on("message", (order: Order) => {
  if (order.type === "start" && "server" in order) void start(order.server);
  if (order.type === "sample")
    void participant?.sample(
      order.number,
      servers.map((server) => server.metrics()),
    );
  if (order.type === "resume") participant?.resume();
  if (order.type === "finish") {
    participant?.tellOverdue(0);
    send({ type: "finished" });
  }
});
send({ type: "ready" });
