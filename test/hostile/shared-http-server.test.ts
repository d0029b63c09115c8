import http from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { serve, type WebSocketStreamServer } from "../../packages/sluice/src/server.ts";
import { connectHostile } from "../../packages/sluice/src/testing/hostile-client.ts";
import type { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { listen } from "../support/listen.ts";
import { Bystander } from "./bystander.ts";
import { expectClose } from "./outcome.ts";
import { turn, withField } from "./stage.ts";

/*
 * A server on an HTTP server of the program's own: that one reads the heads, with limits of its own, and has other things to
 * do. Bystanders are WebSockets next to the attackers, and pages.
 */

const HEADERS_TIMEOUT_MS = 500;
const HANDSHAKE_TIMEOUT_MS = 400;
/** Those who wait for the hook; it never answers. */
let asked = 0;
let aborted = 0;
let mostPending = 0;
let pageDelayMs = 0;

let httpServer: http.Server;
let server: WebSocketStreamServer;
let url = "";
let bystanders: Bystander[] = [];
const complaints: unknown[] = [];
const complain = (what: unknown): void => void complaints.push(what);

beforeAll(async () => {
  for (const event of ["unhandledRejection", "uncaughtException", "warning"]) process.on(event, complain);
  httpServer = http.createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: 50 },
    (_, response) => void setTimeout(() => response.end("page"), pageDelayMs),
  );
  server = await serve(
    {
      server: httpServer,
      path: "/ws",
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
      maxPendingHandshakes: 10,
      onError: complain,
      upgrade: (request, { signal }) =>
        request.url === "/ws?wait"
          ? new Promise((resolve) => {
              asked++;
              mostPending = Math.max(mostPending, server.metrics().handshakesPending);
              signal.addEventListener("abort", () => {
                aborted++;
                resolve(undefined);
              });
            })
          : undefined,
    },
    async (stream) => {
      const { readable, writable } = await stream.opened;
      await readable.pipeTo(writable).catch(() => {});
    },
  );
  url = `http://127.0.0.1:${await listen(httpServer)}`;
  bystanders = await Promise.all([1, 2, 3].map((seed) => Bystander.join(socketUrl(), seed)));
});

beforeEach(() => {
  asked = 0;
  aborted = 0;
  mostPending = 0;
  pageDelayMs = 0;
});

afterEach(async () => {
  await Promise.all(bystanders.map((bystander) => bystander.goOn(2)));
  expect(bystanders.map(({ problem }) => problem)).toEqual([null, null, null]);
  expect(await getPage()).toBe("page");
  while (server.connectionCount > bystanders.length || server.metrics().handshakesPending > 0) await turn();
  expect(complaints.splice(0)).toEqual([]);
});

afterAll(async () => {
  for (const bystander of bystanders) expect(await bystander.leave()).toEqual({ closeCode: 1000, reason: "" });
  await server.close();
  await new Promise((resolve) => httpServer.close(resolve));
  for (const event of ["unhandledRejection", "uncaughtException", "warning"]) process.off(event, complain);
});

const socketUrl = (query: string = ""): string => `${url.replace("http:", "ws:")}/ws${query}`;
const connect = (query: string = "", request: (legal: string) => string | null = (legal) => legal) =>
  connectHostile(socketUrl(query), { request });
const connectMany = (
  count: number,
  query: string,
  request?: (legal: string) => string | null,
): Promise<HostilePeer[]> => Promise.all(Array.from({ length: count }, () => connect(query, request)));
const getPage = async (): Promise<string> => (await fetch(url)).text();

describe("attacks on a server that shares an HTTP server", () => {
  it("slow heads, a byte now and then, get 408 in the HTTP server's own time; silence, the end", async () => {
    const slow = await connectMany(50, "", () => null);
    const silent = await connectMany(50, "", () => null);
    let isOver = false;
    const head = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Slow: ";
    const dribbling = (async () => {
      for (let index = 0; !isOver; index++) {
        for (const peer of slow) if (!peer.hasEnded && !peer.isClosed) peer.send(head[index] ?? "x");
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    const before = bystanders.map(({ roundTrips }) => roundTrips);
    await Promise.all([...slow, ...silent].map((peer) => peer.until(() => peer.hasEnded || peer.isClosed)));
    isOver = true;
    await dribbling;
    expect(slow.map((peer) => peer.statusCode)).toEqual(slow.map(() => 408));
    for (const [index, { roundTrips }] of bystanders.entries())
      expect(roundTrips).toBeGreaterThan(before[index] as number);
    for (const peer of [...slow, ...silent]) peer.destroy();
  });

  it("more handshakes than may wait: 503 for the others at once, and for those later", async () => {
    const waiting = connectMany(10, "?wait");
    while (asked < 10) await turn();
    const refused = await connectMany(50, "?wait");
    expect(refused.map(({ statusCode }) => statusCode)).toEqual(refused.map(() => 503));
    const given = await waiting;
    expect(given.map(({ statusCode }) => statusCode)).toEqual(given.map(() => 503));
    const textOf = ({ rest }: HostilePeer): string => Buffer.from(rest).toString();
    expect(given.filter((peer) => textOf(peer).includes("handshakeTimeoutMs"))).toHaveLength(10);
    expect(refused.some((peer) => textOf(peer).includes("maxPendingHandshakes"))).toBe(true);
    expect(mostPending).toBe(10);
    for (const peer of [...given, ...refused]) peer.destroy();
  });

  it("clients that leave while the hook thinks: their places are free again, and the hook is told", async () => {
    for (let round = 1; round <= 3; round++) {
      const peers = await connectMany(10, "", () => null);
      for (const peer of peers) peer.send(createRequest("/ws?wait"));
      while (asked < 10 * round) await turn();
      for (const [index, peer] of peers.entries()) index % 2 === 0 ? peer.reset() : peer.destroy();
      while (aborted < 10 * round) await turn();
    }
    const next = await connect();
    expect(next.statusCode).toBe(101);
    next.destroy();
  });

  it.each([
    ["a key that hides behind 3,000 fields", 431, (legal: string) => hide(legal)],
    ["a field of 17,000 bytes", 431, (legal: string) => withField(legal, `X-A: ${"x".repeat(17_000)}`)],
    ["another path, which nobody has", 404, (legal: string) => legal.replace("/ws", "/nobody")],
    ["a line feed in a field", 400, (legal: string) => withField(legal, "X-A: 1\nX-B: 2")],
    ["a page of another origin", 403, (legal: string) => withField(legal, "Origin: https://evil.example")],
  ])("%s: %i", async (_, status, request) => {
    const peer = await connect("", request);
    expect(peer.statusCode).toBe(status);
    await peer.until(() => peer.hasEnded || peer.isClosed);
    peer.destroy();
  });

  it("an upgrade behind a request for a page that is not answered yet: nobody else notices", async () => {
    pageDelayMs = 50;
    const peers = await connectMany(20, "", (legal) => `GET / HTTP/1.1\r\nHost: x\r\n\r\n${legal}`);
    for (const [index, peer] of peers.entries()) {
      if (index % 2 === 0) peer.sendText("x");
      await turn();
      peer.destroy();
    }
    // Its answer has nowhere to go by now.
    await new Promise((resolve) => setTimeout(resolve, 2 * pageDelayMs));
  });

  it("an illegal frame, and RST, right behind the handshake", async () => {
    const peers = await connectMany(20, "");
    for (const [index, peer] of peers.entries()) {
      if (index % 2 === 0) peer.sendFrame({ opcode: 3 });
      else peer.reset();
    }
    for (const [index, peer] of peers.entries()) if (index % 2 === 0) await expectClose({ peer }, 1002);
  });
});

/** Node drops fields above 2,000 without a word. */
const hide = (legal: string): string =>
  Array.from({ length: 3_000 }, () => "a:b")
    .reduce(withField, legal)
    .replace(/\r\n\r\n$/, "\r\nSec-WebSocket-Key: AA==\r\n\r\n");

function createRequest(target: string): string {
  return [
    `GET ${target} HTTP/1.1`,
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "\r\n",
  ].join("\r\n");
}
