import net from "node:net";
import { describe, expect, it } from "vitest";
import { type OwnPortOptions, WebSocketStreamServer } from "../../packages/sluice/src/server.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { createRequest, KEY, RawClient } from "../support/raw-http.ts";
import { createScope } from "../support/scope.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const use = createScope();

async function start(options: Partial<OwnPortOptions> = {}) {
  let requests = 0;
  let waiter: { count: number; resolve: () => void } | null = null;
  const all: OwnPortOptions = {
    port: 0,
    host: "127.0.0.1",
    upgrade: () => {
      requests++;
      if (waiter !== null && requests >= waiter.count) waiter.resolve();
    },
    ...options,
  };
  const server = use(new WebSocketStreamServer(all));
  const { port, url } = await server.listening;
  /** Waits until so many requests have come through all checks. */
  const whenRequested = async (count: number) => {
    const { promise, resolve } = withResolvers<void>();
    waiter = { count, resolve };
    if (requests >= count) resolve();
    await promise;
    // What is answered at all is answered by microtasks.
    await new Promise((resolve) => setImmediate(resolve));
  };
  const ask = async () => use(await RawClient.upgrade(port));
  return { server, port, url, ask, whenRequested };
}

describe("connections: accepting has backpressure", () => {
  it("completes connectionsHighWaterMark handshakes while nobody reads; the others wait unanswered", async () => {
    const { server, ask, whenRequested } = await start({ connectionsHighWaterMark: 2 });
    const clients: RawClient[] = [];
    for (let count = 1; count <= 5; count++) {
      clients.push(await ask());
      await whenRequested(count);
    }
    expect(server.connectionCount).toBe(2);
    await clients[0].response();
    await clients[1].response();
    const reader = server.connections.getReader();
    for (const client of clients.slice(2)) {
      expect(client.receivedBytes).toBe(0);
      await reader.read();
      expect((await client.response()).status).toBe(101);
    }
    expect(server.connectionCount).toBe(5);
  });

  it("gives what waited too long 503 with Retry-After, and takes others", async () => {
    const { server, ask } = await start({ connectionsHighWaterMark: 0, handshakeTimeoutMs: 30 });
    const { status, headers } = await (await ask()).response();
    expect([status, headers["retry-after"]]).toEqual([503, "5"]);
    const reading = server.connections.getReader().read();
    expect((await (await ask()).response()).status).toBe(101);
    expect((await reading).done).toBe(false);
  });

  it("forgets a waiting client that goes away", async () => {
    const { server, ask, whenRequested } = await start({ connectionsHighWaterMark: 0 });
    const first = await ask();
    await whenRequested(1);
    first.destroy();
    // A server that still counted it would hand it out first, and its stream would be lost.
    const second = await ask();
    await whenRequested(2);
    const reader = server.connections.getReader();
    const { value } = await reader.read();
    expect((await second.response()).status).toBe(101);
    second.send(Buffer.from("818537fa213d7f9f4d5158", "hex"));
    const { readable } = await (value as WebSocketStream).opened;
    expect((await readable.getReader().read()).value).toBe("Hello");
  });

  it("works with this library's own client, in order", async () => {
    const { server, url } = await start({ connectionsHighWaterMark: 0 });
    const clients = ["/1", "/2", "/3"].map((path) => new WebSocketStream(new URL(path, url)));
    const urls: string[] = [];
    for await (const stream of server.connections) {
      urls.push(new URL(stream.url).pathname);
      if (urls.length === 3) break;
    }
    expect(urls.sort()).toEqual(["/1", "/2", "/3"]);
    await Promise.all(clients.map((client) => client.opened));
  });

  it("stops when the reader cancels: unread ones are closed with 1013, new ones get 503, those taken live on", async () => {
    const { server, url, ask } = await start();
    const clients = [new WebSocketStream(url), new WebSocketStream(url)];
    await Promise.all(clients.map((client) => client.opened));
    const taken: WebSocketStream[] = [];
    for await (const stream of server.connections) {
      taken.push(stream);
      break;
    }
    const closes = clients.map((client) => client.closed);
    expect(await Promise.race(closes)).toEqual({ closeCode: 1013, reason: "" });
    expect((await (await ask()).response()).status).toBe(503);
    expect(server.connectionCount).toBeGreaterThan(0);
    taken[0].close({ closeCode: 4000 });
    expect((await Promise.all(closes)).map(({ closeCode }) => closeCode).sort()).toEqual([1013, 4000]);
  });
});

describe("limits (RFC 6455 §10.1, H32)", () => {
  it("maxConnections: 503 above it, 101 again when one is gone", async () => {
    const { server, ask } = await start({ maxConnections: 1 });
    const first = await ask();
    await first.response();
    const second = await (await ask()).response();
    expect([second.status, second.headers["retry-after"]]).toEqual([503, "5"]);
    const { value } = await server.connections.getReader().read();
    first.destroy();
    await expect((value as WebSocketStream).closed).rejects.toMatchObject({ closeCode: 1006 });
    while (server.connectionCount > 0) await new Promise((resolve) => setImmediate(resolve));
    expect((await (await ask()).response()).status).toBe(101);
  });

  it("maxPendingHandshakes: 503 above it", async () => {
    const { ask, whenRequested } = await start({ maxPendingHandshakes: 1, connectionsHighWaterMark: 0 });
    await ask();
    await whenRequested(1);
    expect((await (await ask()).response()).status).toBe(503);
  });

  it("maxConnectionsPerAddress: 429 above it", async () => {
    const { ask } = await start({ maxConnectionsPerAddress: 2 });
    for (let count = 0; count < 2; count++) expect((await (await ask()).response()).status).toBe(101);
    const third = await (await ask()).response();
    expect([third.status, third.headers["retry-after"]]).toEqual([429, "5"]);
  });

  it("handshakeTimeoutMs: 408 for a request head that does not end", async () => {
    const { port } = await start({ handshakeTimeoutMs: 100 });
    const client = use(await RawClient.connect(port));
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n");
    expect((await client.response()).status).toBe(408);
    await client.rest();
  });

  it("handshakeTimeoutMs: a connection that says nothing does not stay", async () => {
    const { port } = await start({ handshakeTimeoutMs: 100 });
    const client = use(await RawClient.connect(port));
    await client.rest();
  });

  it("maxHeaderBytes: 431 above it", async () => {
    const { port } = await start({ maxHeaderBytes: 1024 });
    const client = use(await RawClient.connect(port));
    client.send(createRequest({ fields: { "X-Own": "x".repeat(2000) } }));
    expect((await client.response()).status).toBe(431);
  });

  /** So many further fields, four bytes each. */
  const filler = (count: number): Record<string, readonly string[]> => ({ a: Array.from({ length: count }, () => "") });

  it("maxHeaderCount: 431 above 100 fields, and the answer names the limit", async () => {
    const { port } = await start({});
    const all = use(await RawClient.upgrade(port, { fields: filler(95) }));
    expect((await all.response()).status).toBe(101);
    const tooMany = use(await RawClient.upgrade(port, { fields: filler(96) }));
    expect((await tooMany.response()).status).toBe(431);
    expect((await tooMany.rest()).toString()).toBe(
      "The request has more header fields than it may have (maxHeaderCount)\n",
    );
  });

  it("maxHeaderCount: a repeated field cannot hide behind thousands of others", async () => {
    const { port } = await start({ maxHeaderCount: 4000 });
    const honest = use(await RawClient.upgrade(port, { fields: filler(2500) }));
    expect((await honest.response()).status).toBe(101);
    const hidden = use(await RawClient.upgrade(port, { fields: { ...filler(2500), "sec-websocket-key": KEY } }));
    expect((await hidden.response()).status).toBe(400);
  });

  it.each([4, -1, Number.NaN, "100"])("maxHeaderCount: refuses %j as an option", (maxHeaderCount) => {
    const options = { noServer: true, maxHeaderCount: maxHeaderCount as number } as const;
    expect(() => new WebSocketStreamServer(options)).toThrow(RangeError);
  });

  it.each([127, 1000.5, Number.POSITIVE_INFINITY, "16384"])(
    "maxHeaderBytes: refuses %j as an option",
    (maxHeaderBytes) => {
      const options = { port: 0, maxHeaderBytes: maxHeaderBytes as number };
      expect(() => new WebSocketStreamServer(options)).toThrow(RangeError);
    },
  );

  it("idleTimeoutMs reaches the connections, and the client is told why", async () => {
    const { url } = await start({ idleTimeoutMs: 20 });
    const client = new WebSocketStream(url);
    expect(await client.closed).toEqual({ closeCode: 1001, reason: "no message for 20 ms (idleTimeoutMs)" });
  });

  it("the upgrade hook may choose limits for one connection", async () => {
    const { url } = await start({
      upgrade: (request) => (request.url === "/short" ? { idleTimeoutMs: 20 } : undefined),
    });
    const long = new WebSocketStream(url);
    await long.opened;
    const short = new WebSocketStream(new URL("/short", url));
    expect((await short.closed).closeCode).toBe(1001);
    long.close({ closeCode: 4000 });
    expect((await long.closed).closeCode).toBe(4000);
  });

  it("maxMessageBytes and the strategies reach the connections", async () => {
    const { server, ask } = await start({ maxMessageBytes: 4, readableStrategy: { highWaterMark: 3 } });
    const client = await ask();
    await client.response();
    const { value } = await server.connections.getReader().read();
    client.send(Buffer.from("818537fa213d7f9f4d5158", "hex"));
    await expect((value as WebSocketStream).closed).rejects.toMatchObject({ closeCode: 1006 });
    // RFC 6455 §7.4.1: 1009
    expect((await client.bytes(4)).subarray(2).toString("hex")).toBe("03f1");
  });
});

describe("plain HTTP on a port of our own", () => {
  it("is answered with 426 and a hint", async () => {
    const { port } = await start();
    const response = await fetch(`http://127.0.0.1:${port}/`);
    expect(response.status).toBe(426);
    expect(response.headers.get("upgrade")).toBe("websocket");
    expect(response.headers.get("connection")).toMatch(/upgrade/i);
    expect(await response.text()).toContain("WebSocket");
  });

  it("is answered with 404 on another path", async () => {
    const { port } = await start({ path: "/socket" });
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${port}/socket?x`)).status).toBe(426);
  });

  it("is answered with 400 when it is no HTTP", async () => {
    const { port } = await start();
    const client = use(await RawClient.connect(port));
    client.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n");
    expect((await client.response()).status).toBe(400);
    await client.rest();
  });

  it("survives clients that reset the connection at any time", async () => {
    const { port, ask } = await start({ upgrade: async () => {} });
    for (const text of ["", "GET / HT", createRequest(), createRequest({ line: "POST / HTTP/1.1" })]) {
      const socket = net.connect(port, "127.0.0.1");
      await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
      await new Promise<void>((resolve) => socket.write(text || "G", () => resolve()));
      socket.resetAndDestroy();
    }
    expect((await (await ask()).response()).status).toBe(101);
  });
});
