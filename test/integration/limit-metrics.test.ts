// Every limit of docs/limits.md that ends a connection, or refuses or fails a handshake, shows: by its name in the metrics of the
// server, and by name and error code on a channel. Real peers drive each of them there.
import { type ChannelListener, subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import net from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { LimitMessage } from "../../packages/sluice/src/index.ts";
import { WebSocketStream, type WebSocketStreamOptions } from "../../packages/sluice/src/index.ts";
import { WebSocket } from "../../packages/sluice/src/legacy/websocket.ts";
import {
  type OwnPortOptions,
  type ServerWebSocketStream,
  WebSocketStreamServer,
} from "../../packages/sluice/src/server.ts";
import { connectHostile } from "../../packages/sluice/src/testing/hostile-client.ts";
import type { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { codeOf, findRows } from "../documentation/tables.ts";
import { listen } from "../support/listen.ts";
import { createRequest, RawClient } from "../support/raw-http.ts";
import { createScope } from "../support/scope.ts";

const use = createScope();
const CHANNEL = "sluice:limit";
let heard: LimitMessage[] = [];
const listener: ChannelListener = (message) => void heard.push(message as LimitMessage);
afterEach(() => {
  unsubscribe(CHANNEL, listener);
  heard = [];
});

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await nextTurn();
}

interface Stage {
  readonly server: WebSocketStreamServer;
  readonly url: string;
  readonly port: number;
  open(request?: (legal: string) => string): Promise<{ peer: HostilePeer; stream: ServerWebSocketStream }>;
}

async function startServer(options: Partial<OwnPortOptions>): Promise<Stage> {
  const server = use(new WebSocketStreamServer({ port: 0, host: "127.0.0.1", onError: () => {}, ...options }));
  const { url, port } = await server.listening;
  const reader = server.connections.getReader();
  const open: Stage["open"] = async (request) => {
    const reading = reader.read();
    const peer = use(await connectHostile(url, { request }));
    return { peer, stream: (await reading).value as ServerWebSocketStream };
  };
  return { server, url, port, open };
}

/** Reads whatever comes. */
function drain(stream: WebSocketStream): void {
  stream.opened.then(({ readable }) => readable.pipeTo(new WritableStream())).catch(() => {});
}

/** What happens on a server's connection whose messages are read. */
const onConnection =
  (options: Partial<OwnPortOptions>, play: (peer: HostilePeer, stream: ServerWebSocketStream) => unknown) =>
  async (): Promise<Stage> => {
    const stage = await startServer(options);
    const { peer, stream } = await stage.open((legal) =>
      legal.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
    );
    drain(stream);
    await play(peer, stream);
    return stage;
  };

/** A request that is refused, after `prepare`. */
const onRequest =
  (options: Partial<OwnPortOptions>, request: string, prepare: (stage: Stage) => unknown = () => {}) =>
  async (): Promise<Stage> => {
    const stage = await startServer(options);
    await prepare(stage);
    const client = use(await RawClient.connect(stage.port));
    client.send(request);
    await client.response();
    return stage;
  };

const keepAlive = { intervalMs: 100, timeoutMs: 100, stalledTimeoutMs: 100, pausedTimeoutMs: 100 };
const never = (): Promise<never> => new Promise(() => {});

/** A client that is answered this. There is no server of ours then. */
const onClient = (answer: string, options: WebSocketStreamOptions) => async (): Promise<null> => {
  const server = use(net.createServer());
  server.on("connection", (socket) => {
    use(socket);
    socket.on("error", () => {}); // the client leaves
    socket.write(answer);
  });
  const stream = new WebSocketStream(`ws://127.0.0.1:${await listen(server)}/`, options);
  await stream.opened.catch(() => {});
  return null;
};

/** How each limit is hit, by its name and the code that it gives. */
const SCENES: Readonly<Record<string, () => Promise<Stage | null>>> = {
  "maxMessageBytes ERR_SLUICE_MESSAGE_TOO_BIG": onConnection({ maxMessageBytes: 10 }, (peer) =>
    peer.sendText("more than ten bytes"),
  ),
  "maxFragments ERR_SLUICE_TOO_MANY_FRAGMENTS": onConnection({ maxFragments: 2 }, (peer) => {
    peer.sendFrame({ opcode: 2, isFin: false });
    for (let count = 0; count < 2; count++) peer.sendFrame({ opcode: 0, isFin: false });
  }),
  "maxInflateRatio ERR_SLUICE_INFLATE_RATIO": onConnection({ maxInflateRatio: 50, perMessageDeflate: true }, (peer) =>
    peer.sendBomb(300_000),
  ),
  "keepAlive.timeoutMs ERR_SLUICE_PEER_DEAD": onConnection({ keepAlive }, () => {}),
  "keepAlive.stalledTimeoutMs ERR_SLUICE_PEER_STALLED": onConnection({ keepAlive }, async (peer, stream) => {
    peer.vanish();
    const writer = (await stream.opened).writable.getWriter();
    writer.write(new Uint8Array(32 * 1_048_576)).catch(() => {});
  }),
  "keepAlive.pausedTimeoutMs ERR_SLUICE_READER_PAUSED": async () => {
    const stage = await startServer({ keepAlive });
    const { peer } = await stage.open();
    for (const text of ["1", "2", "3"]) peer.sendText(text);
    return stage;
  },
  "idleTimeoutMs ERR_SLUICE_IDLE_TIMEOUT": onConnection({ idleTimeoutMs: 20 }, () => {}),
  "closeTimeoutMs ERR_SLUICE_CLOSE_TIMEOUT": onConnection({ closeTimeoutMs: 20 }, (_, stream) => stream.close()),
  "memoryBudgetBytes ERR_SLUICE_MEMORY_BUDGET": onConnection({ memoryBudgetBytes: 1_048_576 }, (peer) =>
    peer.flood({ opcode: 2, isFin: false, payload: new Uint8Array(2_000_000) }, 1),
  ),
  "maxBufferedBytes ERR_SLUICE_SEND_BUFFER_FULL": async () => {
    const { url } = await startServer({});
    const socket = new WebSocket(url, { maxBufferedBytes: 10 } as never);
    socket.onopen = () => socket.send("more than ten bytes");
    return null;
  },
  "handshakeTimeoutMs ERR_SLUICE_HANDSHAKE_TIMEOUT": onClient("", { handshakeTimeoutMs: 20 }),
  "head of a response ERR_SLUICE_HANDSHAKE_SYNTAX": onClient(`HTTP/1.1 101 OK\r\nX: ${"x".repeat(17_000)}\r\n`, {}),
  "handshakeTimeoutMs ERR_SLUICE_UPGRADE_REFUSED": onRequest(
    { handshakeTimeoutMs: 20, upgrade: never },
    createRequest(),
  ),
  // Node's HTTP parser refuses, and there is nobody to be told: the metrics know all the same.
  "maxHeaderBytes ERR_SLUICE_UPGRADE_REFUSED": onRequest(
    { maxHeaderBytes: 500 },
    createRequest({ fields: { "X-Own": "x".repeat(2_000) } }),
  ),
  "maxHeaderCount ERR_SLUICE_UPGRADE_REFUSED": onRequest(
    { maxHeaderCount: 8 },
    createRequest({ fields: { a: ["1", "2", "3", "4"] } }),
  ),
  "maxPendingHandshakes ERR_SLUICE_UPGRADE_REFUSED": onRequest(
    { maxPendingHandshakes: 1, upgrade: never },
    createRequest(),
    async ({ port, server }) => {
      use(await RawClient.upgrade(port));
      await until(() => server.metrics().handshakesPending === 1);
    },
  ),
  "maxConnections ERR_SLUICE_UPGRADE_REFUSED": onRequest({ maxConnections: 1 }, createRequest(), ({ open }) => open()),
  "maxConnectionsPerAddress ERR_SLUICE_UPGRADE_REFUSED": onRequest(
    { maxConnectionsPerAddress: 1 },
    createRequest(),
    ({ open }) => open(),
  ),
  "memoryBudgetBytes ERR_SLUICE_UPGRADE_REFUSED": onRequest(
    { memoryBudgetBytes: 1_048_576 },
    createRequest(),
    async ({ server, open }) => {
      // Each holds too little to be worth ending; all together hold 3,424 bytes too much.
      for (let count = 0; count < 263; count++) (await open()).peer.sendBinary(new Uint8Array(4_000));
      await until(() => server.metrics().budgetUsedBytes > 1_048_576);
    },
  ),
};

/** What the messages call a limit that has no option of its own. */
const NAMES: Readonly<Record<string, string>> = { "head of a response": "maxHeaderBytes" };

describe("each limit shows in the metrics by its name, and on the channel by name and code", () => {
  it.each(Object.entries(SCENES))("%s", async (key, play) => {
    subscribe(CHANNEL, listener);
    const [, name = "", code] = /^(.*) (\w+)$/.exec(key) ?? [];
    const limit = NAMES[name] ?? name;
    const stage = await play();
    const server = stage?.server ?? null;
    await until(() => heard.some((message) => message.limit === limit && message.server === server));
    const messages = heard.filter((message) => message.server === server);
    expect(messages.map((message) => [message.limit, message.code])).toEqual([[limit, code]]);
    expect(messages[0]?.connection === null).toBe(/REFUSED|HANDSHAKE/.test(code as string));
    if (stage !== null) expect(stage.server.metrics().limitsByName).toEqual({ [limit]: 1 });
  });

  it("is complete: docs/limits.md has no other that gives an error", () => {
    const rows = findRows(readFileSync(new URL("../../docs/limits.md", import.meta.url), "utf8"), "limit");
    const documented = rows.flatMap((row) => {
      const codes = `${row["you get"] ?? ""}${row.why ?? ""}`.match(/ERR_SLUICE_\w+/g) ?? [];
      return codes.map((code) => `${codeOf(row.limit) ?? row.limit} ${code}`);
    });
    const quiet = "maxHeaderBytes ERR_SLUICE_UPGRADE_REFUSED";
    expect(Object.keys(SCENES).filter((key) => key !== quiet)).toEqual(expect.arrayContaining(documented));
    expect(documented).toHaveLength(Object.keys(SCENES).length - 1);
  });
});

describe("sockets beyond what may be there before their request", () => {
  it("are dropped by the system, counted, and told of as maxConnections", async () => {
    subscribe(CHANNEL, listener);
    const { server, port } = await startServer({ maxConnections: 1, maxPendingHandshakes: 1 });
    const mayBeThere = 1 + 1 + 256; // and refused ones that linger
    for (let count = 0; count <= mayBeThere; count++) use(net.connect(port, "127.0.0.1")).on("error", () => {});
    await until(() => server.metrics().socketsDropped === 1);
    expect(server.metrics()).toMatchObject({ handshakesRefused: 0, limitsByName: { maxConnections: 1 } });
    expect(heard.filter((message) => message.server === server)).toEqual([
      { limit: "maxConnections", code: "ERR_SLUICE_UPGRADE_REFUSED", connection: null, server },
    ]);
  });
});
