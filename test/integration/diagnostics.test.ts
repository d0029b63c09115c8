import diagnostics from "node:diagnostics_channel";
import { createServer } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { DiagnosedConnection, DiagnosticsMessages } from "../../packages/sluice/src/index.ts";
import { WebSocket } from "../../packages/sluice/src/legacy/websocket.ts";
import { ClientWatcher } from "../../packages/sluice/src/node/client-watcher.ts";
import { CHANNEL_NAMES } from "../../packages/sluice/src/node/diagnostics.ts";
import {
  broadcast,
  type OwnPortOptions,
  type ServerWebSocketStream,
  WebSocketStreamServer,
} from "../../packages/sluice/src/server.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { connectHostile } from "../../packages/sluice/src/testing/hostile-client.ts";
import { RawClient } from "../support/raw-http.ts";
import { createScope } from "../support/scope.ts";

const use = createScope();
type Name = keyof DiagnosticsMessages;

let subscriptions: { name: Name; listener: (message: unknown) => void }[] = [];
afterEach(() => {
  for (const { name, listener } of subscriptions) diagnostics.unsubscribe(name, listener);
  subscriptions = [];
});

/** What is published from now on, in order. */
function listen<Chosen extends Name>(...names: Chosen[]): { name: Name; message: DiagnosticsMessages[Chosen] }[] {
  const heard: { name: Name; message: DiagnosticsMessages[Chosen] }[] = [];
  for (const name of names) {
    const listener = (message: unknown): void => void heard.push({ name, message: message as never });
    diagnostics.subscribe(name, listener);
    subscriptions.push({ name, listener });
  }
  return heard;
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await nextTurn();
}

async function start(options: Partial<OwnPortOptions> = {}) {
  const server = use(new WebSocketStreamServer({ port: 0, host: "127.0.0.1", onError: () => {}, ...options }));
  const { url, port } = await server.listening;
  const reader = server.connections.getReader();
  const read = async (): Promise<ServerWebSocketStream> => (await reader.read()).value as ServerWebSocketStream;
  return { server, url, port, read };
}

describe("diagnostics channels", () => {
  it("have documented names", () => {
    expect(CHANNEL_NAMES).toEqual([
      "sluice:connection:open",
      "sluice:connection:close",
      "sluice:handshake:failed",
      "sluice:handshake:refused",
      "sluice:limit",
      "sluice:keepalive",
      "sluice:keepalive:rtt",
      "sluice:budget",
      "sluice:broadcast:missed",
    ]);
  });

  it("tell of a connection from its opening to its end, on both sides, each with an object of its own", async () => {
    const heard = listen("sluice:connection:open", "sluice:connection:close");
    const { server, url, read } = await start({ protocols: ["chat"] });
    const client = new WebSocketStream(url.replace("://", "://user:secret@"), { protocols: ["chat"] });
    const stream = await read();
    const { writable } = await client.opened;
    await writable.getWriter().write("abc");
    await (await stream.opened).readable.getReader().read();
    client.close({ closeCode: 4001, reason: "enough" });
    await client.closed;
    await until(() => heard.length === 4);
    const ofServer = heard.filter(({ message }) => message.connection.role === "server");
    const ofClient = heard.filter(({ message }) => message.connection.role === "client");
    for (const [open, close] of [ofServer, ofClient]) {
      expect([open?.name, close?.name]).toEqual(["sluice:connection:open", "sluice:connection:close"]);
      expect(open?.message.connection).toBe(close?.message.connection);
      expect(open?.message).toMatchObject({ protocol: "chat", extensions: "" });
      expect(close?.message).toMatchObject({ closeCode: 4001, reason: "enough", isClean: true, error: null });
    }
    expect(ofServer[0]?.message.connection).toMatchObject({ stream, server, remoteAddress: "127.0.0.1", url });
    expect(ofClient[0]?.message.connection).toMatchObject({ stream: null, server: null, url });
    expect(ofServer[1]?.message).toMatchObject({ counters: { messagesReceived: 1, messagesSent: 0 } });
    expect(ofClient[1]?.message).toMatchObject({ counters: { messagesReceived: 0, messagesSent: 1 } });
    const ids = new Set(heard.map(({ message }) => message.connection.id));
    expect(ids.size).toBe(2);
  });

  it("tell of the legacy class's connections too", async () => {
    const heard = listen("sluice:connection:open", "sluice:connection:close");
    const { url, read } = await start();
    const socket = new WebSocket(url);
    (await read()).close();
    await new Promise((resolve) => socket.addEventListener("close", resolve));
    await until(() => heard.filter(({ message }) => message.connection.role === "client").length === 2);
  });

  it("let a process count its connections by role, the open ones and all", async () => {
    const open = new Set<DiagnosedConnection>();
    const total = { client: 0, server: 0 };
    const { server, url, read } = await start();
    const heard = listen("sluice:connection:open", "sluice:connection:close");
    const count = (): Record<"client" | "server", number> => {
      for (const { name, message } of heard.splice(0)) {
        const { connection } = message;
        // Those of another test may still be ending.
        if (connection.server !== server && connection.url !== url) continue;
        if (name === "sluice:connection:open") {
          open.add(connection);
          total[connection.role]++;
        } else open.delete(connection);
      }
      const roles = [...open].map(({ role }) => role);
      const clients = roles.filter((role) => role === "client").length;
      return { client: clients, server: roles.length - clients };
    };
    const clients = [new WebSocketStream(url), new WebSocketStream(url)];
    for (const client of clients) {
      await read();
      await client.opened;
    }
    expect(count()).toEqual({ client: 2, server: 2 });
    clients[0]?.close();
    await clients[0]?.closed;
    await until(() => {
      const { client, server: servers } = count();
      return client === 1 && servers === 1;
    });
    expect(total).toEqual({ client: 2, server: 2 });
  });

  it("tell of a refusal, and of the limit that was its reason", async () => {
    const heard = listen("sluice:handshake:refused", "sluice:limit");
    const { server, port, url, read } = await start({ maxConnections: 1 });
    use(await connectHostile(url));
    await read();
    await use(await RawClient.upgrade(port)).response();
    const [limit, refused] = heard;
    expect(heard).toHaveLength(2);
    expect(limit).toEqual({
      name: "sluice:limit",
      message: { limit: "maxConnections", code: "ERR_SLUICE_UPGRADE_REFUSED", connection: null, server },
    });
    expect(refused?.message).toMatchObject({
      server,
      remoteAddress: "127.0.0.1",
      statusCode: 503,
      reason: "maxConnections",
      request: { method: "GET", url: "/" },
    });
  });

  it("tell of a client's handshake that failed, and of the limit that was its reason", async () => {
    const heard = listen("sluice:handshake:failed", "sluice:limit");
    const { port, url, server } = await start({ upgrade: () => new Response("later", { status: 503 }) });
    const refused = new WebSocketStream(url.replace("://", "://user:secret@"));
    const error = await refused.opened.then(null, ({ cause }) => cause);
    expect(heard).toEqual([
      {
        name: "sluice:handshake:failed",
        message: { url, code: "ERR_SLUICE_HANDSHAKE_STATUS", statusCode: 503, error },
      },
    ]);
    await server.close();
    await new WebSocketStream(url).opened.catch(() => {});
    expect(heard[1]?.message).toMatchObject({ url, code: "ERR_SLUICE_CONNECT_FAILED", statusCode: null });
    const silent = use(createServer());
    await new Promise<void>((resolve) => silent.listen(port, "127.0.0.1", resolve));
    const socket = new WebSocket(url, { handshakeTimeoutMs: 20 });
    await new Promise((resolve) => socket.addEventListener("close", resolve));
    const code = "ERR_SLUICE_HANDSHAKE_TIMEOUT";
    expect(heard.slice(2)).toMatchObject([
      { name: "sluice:limit", message: { limit: "handshakeTimeoutMs", code, connection: null, server: null } },
      { name: "sluice:handshake:failed", message: { url, code, statusCode: null, error: { code } } },
    ]);
  });

  it("do not tell of an attempt to connect that the caller gave up", async () => {
    const heard = listen("sluice:handshake:failed", "sluice:connection:open");
    const { url } = await start({ upgrade: () => new Promise(() => {}) });
    const signal = AbortSignal.timeout(1);
    await new WebSocketStream(url, { signal }).opened.catch(() => {});
    const closed = new WebSocketStream(url);
    closed.close();
    await closed.opened.catch(() => {});
    expect(heard).toEqual([]);
  });

  it("give the metrics of every connection, also of a WebSocket, while it is open and afterwards", async () => {
    const heard = listen("sluice:connection:open");
    const { url, read } = await start();
    const socket = new WebSocket(url);
    const { writable } = await (await read()).opened;
    await until(() => heard.length === 2);
    const [first, second] = heard.map(({ message }) => message.connection);
    const ofSocket = (first?.role === "client" ? first : second) as DiagnosedConnection;
    const ofServer = (first?.role === "client" ? second : first) as DiagnosedConnection;
    expect([ofSocket.role, ofServer.role]).toEqual(["client", "server"]);
    const message = new Promise((resolve) => socket.addEventListener("message", resolve, { once: true }));
    await writable.getWriter().write("abc"); // 5 bytes
    await message;
    expect(ofSocket.metrics()).toMatchObject({ messagesReceived: 1, bytesReceived: 5, heldBytesIn: 0, rttMs: null });
    expect(ofServer.metrics()).toMatchObject({ messagesSent: 1, bytesSent: 5 });
    socket.close();
    await new Promise((resolve) => socket.addEventListener("close", resolve));
    await until(() => ofServer.metrics().bytesReceived > 0);
    expect(ofSocket.metrics()).toMatchObject({ messagesReceived: 1, bytesReceived: 7, bytesSent: 6 });
  });

  it("give of a WebSocketStream what its own metrics() gives, its reader's queue included", async () => {
    const heard = listen("sluice:connection:open");
    const { url, read } = await start();
    const client = new WebSocketStream(url, { readableStrategy: { highWaterMark: 5 } });
    const { writable } = await (await read()).opened;
    await client.opened;
    await writable.getWriter().write(new Uint8Array(1000));
    await until(() => client.metrics().messagesReceived === 1);
    const { connection } = heard.find(({ message }) => message.connection.role === "client")?.message ?? {};
    const { openMs: _, inputWaitingMs, outputIdleMs, ...own } = client.metrics();
    expect(connection?.metrics()).toMatchObject(own);
    expect(own.heldBytesIn).toBe(1000);
  });

  it("tell of a limit that ended a connection, and why it closed", async () => {
    const heard = listen("sluice:limit", "sluice:connection:close", "sluice:keepalive");
    const { server, url, read } = await start({ maxMessageBytes: 10 });
    const peer = use(await connectHostile(url));
    const stream = await read();
    peer.sendText("more than ten bytes");
    // A connection of another test may still be ending.
    const getHeard = () => heard.filter(({ message }) => message.connection?.server === server);
    await until(() => getHeard().length === 2);
    const [limited, closed] = getHeard();
    expect([limited?.name, closed?.name]).toEqual(["sluice:limit", "sluice:connection:close"]);
    expect(limited?.message).toMatchObject({
      limit: "maxMessageBytes",
      code: "ERR_SLUICE_MESSAGE_TOO_BIG",
      connection: { stream },
      server,
    });
    const error = await stream.closed.then(null, ({ cause }) => cause);
    expect(closed?.message).toMatchObject({ closeCode: 1006, isClean: false, error });
  });

  it("tell of the keepalive's verdict and of round trips", async () => {
    const heard = listen("sluice:keepalive", "sluice:keepalive:rtt");
    const { url, read } = await start({ keepAlive: { intervalMs: 1, timeoutMs: 500 } });
    const peer = use(await connectHostile(url));
    const stream = await read();
    stream.opened.then(({ readable }) => readable.pipeTo(new WritableStream())).catch(() => {});
    await peer.until(() => peer.framesOf(9).length === 1);
    peer.sendFrame({ opcode: 10, payload: peer.framesOf(9)[0]?.payload });
    await until(() => heard.some(({ name }) => name === "sluice:keepalive"));
    expect(heard[0]?.message).toMatchObject({ connection: { stream }, rttMs: expect.any(Number) });
    expect(heard.at(-1)?.message).toMatchObject({ connection: { stream }, verdict: "dead" });
    expect(heard).toHaveLength(2);
  });

  it("tell of the memory budget's marks", async () => {
    const heard = listen("sluice:budget");
    const { server, url, read } = await start({ memoryBudgetBytes: 1_048_576 });
    const peer = use(await connectHostile(url));
    const stream = await read();
    stream.opened.then(({ readable }) => readable.pipeTo(new WritableStream())).catch(() => {});
    peer.flood({ opcode: 2, isFin: false, payload: new Uint8Array(2_000_000) }, 1);
    await until(() => heard.length === 3);
    expect(heard.map(({ message }) => message.event)).toEqual(["soft", "hard", "givenUp"]);
    expect(heard[2]?.message).toMatchObject({ server, hardBytes: 1_048_576, usedBytes: expect.any(Number) });
  });

  it("tell of a broadcast that did not reach a connection", async () => {
    const heard = listen("sluice:broadcast:missed");
    const { url, read } = await start();
    use(await connectHostile(url));
    const stream = await read();
    stream.close();
    await broadcast([stream], "tick");
    expect(heard).toEqual([
      { name: "sluice:broadcast:missed", message: { connection: expect.objectContaining({ stream }), why: "closed" } },
    ]);
  });

  it("cost a client nothing while nobody listens", () => {
    expect(ClientWatcher.create(new URL("ws://localhost/"))).toBeNull();
    listen("sluice:limit");
    expect(ClientWatcher.create(new URL("ws://localhost/"))).not.toBeNull();
  });
});
