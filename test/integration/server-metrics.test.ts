import { createServer } from "node:http";
import { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  broadcast,
  type OwnPortOptions,
  type ServerMetrics,
  type ServerWebSocketStream,
  WebSocketStreamServer,
} from "../../packages/sluice/src/server.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { connectHostile } from "../../packages/sluice/src/testing/hostile-client.ts";
import type { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { listen } from "../support/listen.ts";
import { createRequest, RawClient, type RequestInit } from "../support/raw-http.ts";
import { createScope } from "../support/scope.ts";

const use = createScope();

/** Waits, turn by turn, until it holds. A test that waits in vain ends at its timeout. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await nextTurn();
}

async function start(options: Partial<OwnPortOptions> = {}) {
  const server = use(new WebSocketStreamServer({ port: 0, host: "127.0.0.1", onError: () => {}, ...options }));
  const { url, port } = await server.listening;
  const reader = server.connections.getReader();
  const open = async (): Promise<{ peer: HostilePeer; stream: ServerWebSocketStream }> => {
    const reading = reader.read();
    const peer = use(await connectHostile(url));
    return { peer, stream: (await reading).value as ServerWebSocketStream };
  };
  return { server, url, port, reader, open, metrics: () => server.metrics() };
}

/** Reads whatever comes. */
function drain(stream: ServerWebSocketStream): void {
  stream.opened.then(({ readable }) => readable.pipeTo(new WritableStream())).catch(() => {});
}

/** What must never fall: all but the state at the moment. */
const GAUGES: readonly (keyof ServerMetrics)[] = [
  ...(["connectionsOpen", "handshakesPending", "heldBytesIn", "heldBytesOut"] as const),
  "budgetUsedBytes",
];

function flatten(metrics: ServerMetrics): Map<string, number> {
  const flat = new Map<string, number>();
  for (const [name, value] of Object.entries(metrics) as [keyof ServerMetrics, number | Record<string, number>][]) {
    if (GAUGES.includes(name)) continue;
    if (typeof value === "number") flat.set(name, value);
    else for (const [key, count] of Object.entries(value)) flat.set(`${name}.${key}`, count);
  }
  return flat;
}

function expectNothingFell(before: ServerMetrics, after: ServerMetrics): void {
  const later = flatten(after);
  for (const [name, value] of flatten(before)) expect(later.get(name), name).toBeGreaterThanOrEqual(value);
}

describe("server.metrics(): connections", () => {
  it("is all zero at the start, apart from the budget", async () => {
    const { metrics } = await start({ memoryBudgetBytes: 4_000_000 });
    const { budgetBytes, budgetSoftBytes, keepaliveVerdicts, broadcastMissed, fallbacks, ...rest } = metrics();
    expect([budgetBytes, budgetSoftBytes]).toEqual([4_000_000, 3_000_000]);
    expect(keepaliveVerdicts).toEqual({ dead: 0, stalled: 0, paused: 0 });
    expect(broadcastMissed).toEqual({ slow: 0, replaced: 0, closed: 0 });
    expect(fallbacks).toEqual({ mask: 0, utf8: 0, zlib: 0 });
    for (const [name, value] of Object.entries(rest)) {
      if (typeof value === "number") expect(value, name).toBe(0);
      else expect(value, name).toEqual({});
    }
  });

  it("counts those that are open, the most at once, and all", async () => {
    const { metrics, open } = await start();
    const first = await open();
    const second = await open();
    await open();
    expect(metrics()).toMatchObject({ connectionsOpen: 3, connectionsPeak: 3, connectionsTotal: 3, closesTotal: 0 });
    for (const { peer } of [first, second]) peer.destroy();
    await until(() => metrics().connectionsOpen === 1 && metrics().closesTotal === 2);
    await open();
    expect(metrics()).toMatchObject({ connectionsOpen: 2, connectionsPeak: 3, connectionsTotal: 4, closesTotal: 2 });
  });

  it("counts handshakes that wait, and those whose client goes away", async () => {
    const { metrics, port } = await start({ upgrade: () => new Promise(() => {}) });
    const client = use(await RawClient.upgrade(port));
    await until(() => metrics().handshakesPending === 1);
    client.destroy();
    await until(() => metrics().handshakesPending === 0);
    expect(metrics()).toMatchObject({ handshakesLost: 1, handshakesRefused: 0, connectionsTotal: 0 });
  });
});

describe("server.metrics(): refusals, by reason and limit", () => {
  const pending = (): Promise<never> => new Promise(() => {});
  it.each<[string, string | null, Partial<OwnPortOptions>, RequestInit | string]>([
    ["request", null, {}, { fields: { "Sec-WebSocket-Key": null } }],
    ["request", null, {}, { fields: { "Sec-WebSocket-Version": "8" } }],
    ["request", null, {}, "oops\r\n\r\n"],
    ["path", null, { path: "/elsewhere" }, {}],
    ["origin", null, {}, { fields: { Origin: "https://evil.example" } }],
    ["hook", null, { upgrade: () => new Response(null, { status: 431 }) }, {}],
    ["error", null, { upgrade: () => Promise.reject(new Error("a fault of the hook")) }, {}],
    ["handshakeTimeoutMs", "handshakeTimeoutMs", { handshakeTimeoutMs: 20, upgrade: pending }, {}],
    ["handshakeTimeoutMs", "handshakeTimeoutMs", { handshakeTimeoutMs: 50 }, "GET / HTTP/1.1\r\n"],
    ["maxHeaderBytes", "maxHeaderBytes", { maxHeaderBytes: 500 }, { fields: { "X-Own": "x".repeat(2_000) } }],
    ["maxHeaderCount", "maxHeaderCount", { maxHeaderCount: 8 }, { fields: { a: ["1", "2", "3", "4"] } }],
  ])("%s", async (reason, limit, options, request) => {
    const { metrics, port } = await start(options);
    const client = use(await RawClient.connect(port));
    client.send(typeof request === "string" ? request : createRequest(request));
    expect((await client.response()).status).toBeGreaterThanOrEqual(400);
    expect(metrics()).toMatchObject({ handshakesRefused: 1, handshakesLost: 0, connectionsTotal: 0 });
    expect(metrics().refusalsByReason).toEqual({ [reason]: 1 });
    expect(metrics().limitsByName).toEqual(limit === null ? {} : { [limit]: 1 });
  });

  it("maxConnections, and closing after drain()", async () => {
    const { server, metrics, port, open } = await start({ maxConnections: 1 });
    const { peer } = await open();
    await use(await RawClient.upgrade(port)).response();
    peer.destroy();
    await server.drain();
    await use(await RawClient.upgrade(port)).response();
    expect(metrics().refusalsByReason).toEqual({ maxConnections: 1, closing: 1 });
    expect(metrics().limitsByName).toEqual({ maxConnections: 1 });
    expect(metrics()).toMatchObject({ handshakesRefused: 2, connectionsTotal: 1 });
  });
});

describe("server.metrics(): what the connections have counted", () => {
  it("adds up open ones, keeps what ended ones have counted, and counts nothing twice", async () => {
    const { metrics, open } = await start();
    const all = await Promise.all([open(), open()].map((opening) => opening));
    let before = metrics();
    for (const { stream } of all) drain(stream);
    for (const { peer } of all) {
      peer.sendText("hello"); // 11 bytes on the wire: 2 of header, 4 of mask
      peer.sendFrame({ opcode: 9, payload: "ping" }); // 10 bytes; so the Pong has 6
    }
    await until(() => all.every(({ peer }) => peer.framesOf(10).length === 1));
    const sums = { messagesReceived: 2, bytesReceived: 42, messagesSent: 0, bytesSent: 12, pingsReceived: 2 };
    expect(metrics()).toMatchObject(sums);
    expectNothingFell(before, metrics());
    before = metrics();
    all[0].peer.destroy();
    await until(() => metrics().connectionsOpen === 1);
    expect(metrics()).toMatchObject(sums);
    await until(() => metrics().closesTotal === 1);
    expect(metrics()).toMatchObject(sums);
    expectNothingFell(before, metrics());
    before = metrics();
    const { writable } = await all[1].stream.opened;
    await writable.getWriter().write("abc"); // 5 bytes
    all[1].peer.sendClose(1000); // 8 bytes; our answer has 4
    await all[1].peer.until(() => all[1].peer.closes.length === 1);
    all[1].peer.end();
    await until(() => metrics().closesTotal === 2 && metrics().connectionsOpen === 0);
    const end = { ...sums, messagesSent: 1, bytesSent: 21, bytesReceived: 50 };
    expect(metrics()).toMatchObject(end);
    expectNothingFell(before, metrics());
    const { openMs, inputPausedMs, inputWaitingMs, outputIdleMs, outputNetworkMs, outputPeerMs } = metrics();
    expect(inputPausedMs + inputWaitingMs).toBe(openMs);
    expect(outputIdleMs + outputNetworkMs + outputPeerMs).toBe(openMs);
    await nextTurn();
    expect(metrics()).toMatchObject({ ...end, openMs });
  });

  it("adds messages that are read when their socket is long gone", async () => {
    const { metrics, open } = await start();
    const { peer, stream } = await open();
    for (const text of ["a", "b", "c"]) peer.sendText(text);
    await until(() => metrics().messagesReceived === 1 && metrics().bytesReceived === 21);
    stream.request.socket.destroy();
    await until(() => metrics().connectionsOpen === 0);
    expect(metrics()).toMatchObject({ messagesReceived: 1, bytesReceived: 21, closesTotal: 0 });
    const { readable } = await stream.opened;
    const texts: unknown[] = [];
    await readable.pipeTo(new WritableStream({ write: (text) => void texts.push(text) })).catch(() => {});
    expect(texts.slice(0, 1)).toEqual(["a"]);
    await until(() => metrics().closesTotal === 1);
    expect(metrics()).toMatchObject({ messagesReceived: 3, bytesReceived: 21, closesTotal: 1, closesUnclean: 1 });
  });

  it("says what is held now, and the peak of it, and which time a slow reader takes", async () => {
    const { metrics, open } = await start();
    const { peer, stream } = await open();
    const flooding = peer.flood({ opcode: 2, payload: new Uint8Array(10_000) }, 20);
    await until(() => metrics().inputPausedMs > 0);
    expect(metrics().heldBytesIn).toBeGreaterThan(10_000);
    expect(metrics().budgetUsedBytes).toBeGreaterThan(10_000);
    drain(stream);
    await flooding;
    await until(() => metrics().messagesReceived === 20);
    await until(() => metrics().budgetUsedBytes === 0);
    expect(metrics()).toMatchObject({ heldBytesIn: 0, heldBytesOut: 0 });
    expect(metrics().heldBytesPeak).toBeGreaterThan(10_000);
  });

  it("says what waits to be sent, and which time a slow peer takes", async () => {
    const { metrics, open } = await start();
    const { peer, stream } = await open();
    peer.pause();
    const { writable } = await stream.opened;
    const writing = writable.getWriter().write(new Uint8Array(32 * 1_048_576));
    await until(() => metrics().outputNetworkMs > 0);
    expect(metrics().heldBytesOut).toBeGreaterThan(1_048_576);
    peer.resume();
    await writing;
    await until(() => metrics().heldBytesOut === 0);
    expect(metrics()).toMatchObject({ messagesSent: 1, inputPausedMs: 0 });
  });
});

describe("server.metrics() after close()", () => {
  it("is final: every connection is counted as ended", async () => {
    const { server, metrics, open } = await start();
    const all = [await open(), await open(), await open()];
    for (const { stream } of all) drain(stream);
    const ended = Promise.all(all.map(({ stream }) => stream.closed.catch(() => "unclean")));
    for (const { peer } of all.slice(0, 2)) {
      peer
        .until(() => peer.closes.length > 0)
        .then(() => {
          peer.sendClose(1001);
          peer.end();
        });
    }
    await server.close();
    expect(metrics()).toMatchObject({ connectionsOpen: 0, connectionsTotal: 3, closesTotal: 3, closesUnclean: 1 });
    expect(metrics().closesByCode).toEqual({ 1001: 2, 1006: 1 });
    expect(await ended).toHaveLength(3);
  });
});

describe("server.metrics(): round trips", () => {
  it("counts Pings and what answers them", async () => {
    const { metrics, url, reader } = await start({ keepAlive: { intervalMs: 1, timeoutMs: 60_000 } });
    const clients = [1, 2].map(() => new WebSocketStream(url, { keepAlive: false }));
    const { value } = await reader.read();
    await until(() => metrics().rttCount === 2);
    const { pingsSent, pongsReceived, rttCount, rttSumMs, rttMaxMs } = metrics();
    expect(pongsReceived).toBe(rttCount);
    expect(pingsSent).toBe(2);
    expect(rttMaxMs).toBeGreaterThan(0);
    expect(rttSumMs).toBeGreaterThan(rttMaxMs);
    expect((value as ServerWebSocketStream).metrics()).toMatchObject({ pingsSent: 1, pongsReceived: 1 });
    for (const client of clients) client.close();
    await until(() => metrics().connectionsOpen === 0);
    expect(metrics()).toMatchObject({ pingsSent: 2, pongsReceived: 2, rttCount: 2, rttSumMs, rttMaxMs });
  });
});

describe("server.metrics(): how connections ended", () => {
  it("counts close codes as `closed` has them", async () => {
    const { metrics, open } = await start();
    const ends: ((peer: HostilePeer) => void)[] = [
      (peer) => peer.sendClose(1000),
      (peer) => peer.sendClose(),
      (peer) => peer.sendClose(4001, "enough"),
      (peer) => peer.sendClose(4001),
      (peer) => peer.destroy(),
    ];
    for (const end of ends) {
      const { peer, stream } = await open();
      drain(stream);
      end(peer);
      await until(() => peer.isClosed || peer.closes.length === 1);
      peer.end();
    }
    await until(() => metrics().closesTotal === ends.length);
    expect(metrics().closesByCode).toEqual({ 1000: 1, 1005: 1, 1006: 1, 4001: 2 });
    expect(metrics().closesUnclean).toBe(1);
    expect(Object.values(metrics().errorsByCode)).toEqual([1]);
  });

  it("keeps 64 codes of the peers' choice apart, so that they cannot make metrics without end", async () => {
    const { metrics, open } = await start();
    const codes = Array.from({ length: 70 }, (_, index) => 3000 + index);
    for (const code of [...codes, 3000, 1000]) {
      const { peer, stream } = await open();
      drain(stream);
      peer.sendClose(code);
      await peer.until(() => peer.closes.length === 1);
      peer.end();
    }
    await until(() => metrics().closesTotal === 72);
    const { closesByCode } = metrics();
    expect(Object.keys(closesByCode)).toHaveLength(66);
    expect(closesByCode).toMatchObject({ 1000: 1, 3000: 2, 3063: 1, other: 6 });
  });

  it("counts errors by code, and limits by name", async () => {
    const { metrics, open } = await start({ maxMessageBytes: 10 });
    const ends: ((peer: HostilePeer) => void)[] = [
      (peer) => peer.sendText("more than ten bytes"),
      (peer) => peer.sendText("more than ten bytes"),
      (peer) => peer.sendFrame({ opcode: 1, payload: Uint8Array.of(0xff) }),
      (peer) => peer.sendFrame({ opcode: 3 }),
    ];
    for (const end of ends) {
      const { peer, stream } = await open();
      drain(stream);
      end(peer);
      await peer.until(() => peer.closes.length === 1);
    }
    await until(() => metrics().closesTotal === 4);
    expect(metrics()).toMatchObject({ closesUnclean: 4, closesByCode: { 1006: 4 } });
    expect(metrics().errorsByCode).toMatchObject({ ERR_SLUICE_MESSAGE_TOO_BIG: 2, ERR_SLUICE_INVALID_UTF8: 1 });
    expect(Object.values(metrics().errorsByCode).reduce((sum, count) => sum + count)).toBe(4);
    expect(metrics().limitsByName).toEqual({ maxMessageBytes: 2 });
  });

  it.each<["dead" | "stalled" | "paused", string, (peer: HostilePeer, stream: ServerWebSocketStream) => Promise<void>]>(
    [
      ["dead", "keepAlive.timeoutMs", async (_, stream) => drain(stream)],
      [
        "stalled",
        "keepAlive.stalledTimeoutMs",
        async (peer, stream) => {
          drain(stream);
          peer.vanish();
          const { writable } = await stream.opened;
          writable
            .getWriter()
            .write(new Uint8Array(32 * 1_048_576))
            .catch(() => {});
        },
      ],
      ["paused", "keepAlive.pausedTimeoutMs", async (peer) => void peer.flood({ opcode: 1, payload: "x" }, 9)],
    ],
  )("counts the keepalive's verdict: %s", async (verdict, limit, prepare) => {
    const { metrics, open } = await start({
      keepAlive: { intervalMs: 200, timeoutMs: 200, stalledTimeoutMs: 200, pausedTimeoutMs: 200 },
    });
    const { peer, stream } = await open();
    await prepare(peer, stream);
    await until(() => metrics().closesTotal === 1);
    expect(metrics().keepaliveVerdicts).toEqual({ dead: 0, stalled: 0, paused: 0, [verdict]: 1 });
    expect(metrics().limitsByName).toEqual({ [limit]: 1 });
  });
});

describe("server.metrics(): connections that are read the slower way", () => {
  it("counts those whose stream is no plain socket of the system", async () => {
    const server = use(new WebSocketStreamServer({ noServer: true }));
    const http = use(createServer());
    let isWrapped = false;
    http.on("upgrade", (request, socket, head) => {
      const carrier = isWrapped ? Duplex.from({ readable: socket, writable: socket }) : socket;
      server.handleUpgrade(request, carrier, head).catch(() => {});
    });
    const url = `ws://127.0.0.1:${await listen(http)}/`;
    use(await connectHostile(url));
    expect(server.metrics()).toMatchObject({ connectionsTotal: 1, slowReads: 0 });
    isWrapped = true;
    use(await connectHostile(url));
    expect(server.metrics()).toMatchObject({ connectionsTotal: 2, slowReads: 1 });
  });
});

describe("server.metrics(): the memory budget", () => {
  it("counts both marks and the connection that was given up", async () => {
    const { metrics, open } = await start({ memoryBudgetBytes: 1_048_576, maxMessageBytes: 16_777_216 });
    const { peer, stream } = await open();
    drain(stream);
    peer.flood({ opcode: 2, isFin: false, payload: new Uint8Array(2_000_000) }, 1);
    await until(() => metrics().closesTotal === 1);
    expect(metrics()).toMatchObject({ budgetSoftHits: 1, budgetHardHits: 1, budgetGivenUp: 1, budgetUsedBytes: 0 });
    expect(metrics().heldBytesPeak).toBeGreaterThan(1_048_576);
    expect(metrics().limitsByName).toEqual({ memoryBudgetBytes: 1 });
  });
});

describe("server.metrics(): broadcasts", () => {
  it("counts whom a message did not reach, once for each", async () => {
    const { metrics, open } = await start();
    const slow = await open();
    const gone = await open();
    const good = await open();
    gone.stream.close();
    slow.peer.pause();
    const { writable } = await slow.stream.opened;
    writable
      .getWriter()
      .write(new Uint8Array(32 * 1_048_576))
      .catch(() => {});
    await until(() => slow.stream.metrics().heldBytesOut > 1_048_576);
    const streams = [slow.stream, gone.stream, good.stream];
    const { sent, missed } = await broadcast(streams, "tick", { onSlow: "drop" });
    expect([sent, missed.length]).toEqual([1, 2]);
    expect(metrics().broadcastMissed).toEqual({ slow: 1, replaced: 0, closed: 1 });
    const first = broadcast([slow.stream], "1", { onSlow: "latest" });
    const second = broadcast([slow.stream], "2", { onSlow: "latest" });
    await first;
    expect(metrics().broadcastMissed).toEqual({ slow: 1, replaced: 1, closed: 1 });
    slow.peer.destroy();
    await second;
    expect(metrics().broadcastMissed).toEqual({ slow: 1, replaced: 1, closed: 2 });
  });
});
