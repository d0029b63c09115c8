import { createHash } from "node:crypto";
import net from "node:net";
import { WebSocket } from "../../packages/sluice/src/legacy/websocket.ts";
import { secWebSocketAccept } from "../../packages/sluice/src/protocol/handshake/accept-key.ts";
import { serve } from "../../packages/sluice/src/server.ts";
import type { WebSocketStreamOptions } from "../../packages/sluice/src/streams/options.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { listen } from "../support/listen.ts";
import { createScope } from "../support/scope.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const use = createScope();

const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (reason: unknown) => reason,
  );

/** What a client's two promises rejected with. */
interface ClientFailure {
  readonly opened: unknown;
  readonly closed: unknown;
}

async function failureOf(url: string, options: WebSocketStreamOptions = {}): Promise<ClientFailure> {
  const stream = new WebSocketStream(url, options);
  return { opened: await reasonOf(stream.opened), closed: await reasonOf(stream.closed) };
}

/** A server that answers every connection in its own way, once it has a request. @returns its port */
async function answering(answer: (socket: net.Socket, accept: string) => void): Promise<number> {
  const server = use(net.createServer());
  server.on("connection", (socket) => {
    use(socket);
    socket.on("error", () => {}); // the client leaves as it likes
    socket.once("data", (request) => {
      const key = /sec-websocket-key: (.*)\r\n/i.exec(request.toString("latin1"))?.[1] ?? "";
      answer(
        socket,
        secWebSocketAccept(key, (text) => createHash("sha1").update(text).digest("base64")),
      );
    });
  });
  return listen(server);
}

/** The failure of a client that gets this response; `ACCEPT` stands for the right value. */
const response =
  (text: string, options?: WebSocketStreamOptions): (() => Promise<ClientFailure>) =>
  async () => {
    const port = await answering((socket, accept) => socket.write(text.replace("ACCEPT", accept)));
    return failureOf(`ws://127.0.0.1:${port}/`, options);
  };

const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
const ACCEPTED = `${SWITCH}Sec-WebSocket-Accept: ACCEPT\r\n`;

/** How each failure of a client's handshake comes about, by its code and message. */
export const CLIENT_FAILURES: Readonly<Record<string, () => Promise<ClientFailure>>> = {
  "ERR_SLUICE_BAD_PORT Cannot open WebSocket as port … is blocked: use another port, or the option allowBadPorts": () =>
    failureOf("ws://127.0.0.1:25/"),
  "ERR_SLUICE_CONNECT_FAILED Cannot open WebSocket as the connection to … failed: …": async () => {
    const server = net.createServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    return failureOf(`ws://127.0.0.1:${port}/`);
  },
  "ERR_SLUICE_TLS_FAILED Cannot open WebSocket as TLS failed: …": async () => {
    const port = await answering((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    return failureOf(`wss://127.0.0.1:${port}/`);
  },
  "ERR_SLUICE_HANDSHAKE_TIMEOUT Cannot open WebSocket as the handshake took longer than … ms (handshakeTimeoutMs)":
    async () => failureOf(`ws://127.0.0.1:${await answering(() => {})}/`, { handshakeTimeoutMs: 20 }),
  "ERR_SLUICE_HANDSHAKE_CUT Cannot open WebSocket as the connection ended before the response: …": async () =>
    failureOf(`ws://127.0.0.1:${await answering((socket) => socket.end())}/`),
  "ERR_SLUICE_HANDSHAKE_SYNTAX Cannot open WebSocket as server's response is not valid HTTP: …":
    response("SSH-2.0-x\r\n"),
  "ERR_SLUICE_HANDSHAKE_SYNTAX Cannot open WebSocket as server's response has a head of more than 16384 bytes":
    response(`${SWITCH}X: ${"x".repeat(17_000)}\r\n`),
  "ERR_SLUICE_HANDSHAKE_STATUS Cannot open WebSocket as server answered with status … instead of 101…": response(
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nlater",
  ),
  "ERR_SLUICE_HANDSHAKE_VERSION Cannot open WebSocket as server answered in HTTP/…": response(
    `${ACCEPTED.replace("1.1", "1.0")}\r\n`,
  ),
  'ERR_SLUICE_HANDSHAKE_UPGRADE Cannot open WebSocket as Upgrade must be "websocket" once: current value is …':
    response(`${ACCEPTED.replace("websocket", "h2c")}\r\n`),
  'ERR_SLUICE_HANDSHAKE_CONNECTION Cannot open WebSocket as Connection must contain "upgrade": current value is …':
    response(`${ACCEPTED.replace("Connection: Upgrade", "Connection: close")}\r\n`),
  "ERR_SLUICE_HANDSHAKE_ACCEPT Cannot open WebSocket as Sec-WebSocket-Accept does not fit the request: value is …":
    response(`${SWITCH}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`),
  "ERR_SLUICE_HANDSHAKE_EXTENSIONS Cannot open WebSocket as Sec-WebSocket-Extensions …": response(
    `${ACCEPTED}Sec-WebSocket-Extensions: x-unknown\r\n\r\n`,
  ),
  "ERR_SLUICE_HANDSHAKE_PROTOCOL Cannot open WebSocket as server selected none of the offered subprotocols: …":
    response(`${ACCEPTED}\r\n`, { protocols: ["chat"] }),
  "ERR_SLUICE_HANDSHAKE_PROTOCOL Cannot open WebSocket as server selected a subprotocol that was not offered: …":
    response(`${ACCEPTED}Sec-WebSocket-Protocol: other\r\n\r\n`, { protocols: ["chat"] }),
  "ERR_SLUICE_HANDSHAKE_PROTOCOL Cannot open WebSocket as Sec-WebSocket-Protocol must appear once: current value is …":
    response(`${ACCEPTED}Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n\r\n`, {
      protocols: ["chat"],
    }),
};

/** What the server at the other end saw, and why the socket failed. */
interface LegacyFailure {
  readonly seen: unknown;
  readonly cause: unknown;
}

/** The failure of a `WebSocket` with which something is done. */
async function legacyFailureOf(play: (socket: InstanceType<typeof WebSocket>) => void): Promise<LegacyFailure> {
  const closed = withResolvers<unknown>();
  const server = use(
    await serve({ port: 0, host: "127.0.0.1" }, (stream) => {
      stream.closed.then(closed.resolve, closed.resolve);
    }),
  );
  const socket = new WebSocket((await server.listening).url, { maxBufferedBytes: 10 } as never);
  const failed = withResolvers<unknown>();
  socket.onerror = (event) => failed.resolve((event as Event & { error?: unknown }).error);
  socket.onopen = () => play(socket);
  return { seen: await closed.promise, cause: await failed.promise };
}

/** A file that was there when it was sent, and then was not. */
class LostBlob extends Blob {}

export const LEGACY_FAILURES: Readonly<Record<string, () => Promise<LegacyFailure>>> = {
  "ERR_SLUICE_CLOSED_WHILE_CONNECTING –": async () => {
    const stream = new WebSocketStream(`ws://127.0.0.1:${await answering(() => {})}/`);
    stream.close();
    const error = (await reasonOf(stream.opened)) as { cause: unknown };
    return { seen: null, cause: error.cause };
  },
  'ERR_SLUICE_SEND_BUFFER_FULL ""': () => legacyFailureOf((socket) => socket.send("more than ten bytes")),
  'ERR_SLUICE_BLOB_UNREADABLE ""': () =>
    legacyFailureOf((socket) => {
      const { arrayBuffer } = Blob.prototype;
      Blob.prototype.arrayBuffer = function (this: Blob) {
        return this instanceof LostBlob ? Promise.reject(new Error("the file has changed")) : arrayBuffer.call(this);
      };
      socket.send(new LostBlob(["x"]));
      Blob.prototype.arrayBuffer = arrayBuffer;
    }),
};
