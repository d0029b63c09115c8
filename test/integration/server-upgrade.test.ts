import http from "node:http";
import { describe, expect, it } from "vitest";
import {
  type OwnPortOptions,
  type ServerOptions,
  type ServerWebSocketStream,
  serve,
  type UpgradeRefusedError,
  WebSocketStreamServer,
} from "../../packages/sluice/src/server.ts";
import { listen } from "../support/listen.ts";
import { createRequest, RawClient, type RequestInit } from "../support/raw-http.ts";
import { createScope } from "../support/scope.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const use = createScope();

/** A server that keeps its connections and errors. */
async function start(options: Partial<OwnPortOptions> = {}) {
  const streams: ServerWebSocketStream[] = [];
  const errors: unknown[] = [];
  const all: ServerOptions = { port: 0, host: "127.0.0.1", onError: (error) => errors.push(error), ...options };
  const server = use(await serve(all, (stream) => void streams.push(stream)));
  const { port } = await server.listening;
  const ask = async (init: RequestInit = {}) => use(await RawClient.upgrade(port, init));
  return { server, port, streams, errors, ask };
}

/** Checks H29, and returns the answer with its body. */
async function readRefusal(
  client: RawClient,
): Promise<{ status: number; headers: Record<string, string>; body: string }> {
  const { status, headers } = await client.response();
  const body = (await client.rest()).toString();
  expect(headers.connection).toMatch(/^close/);
  expect(headers["content-length"]).toBe(String(Buffer.byteLength(body)));
  return { status, headers, body };
}

describe("RFC 6455 §4.2.2 the server's answer", () => {
  it("is exactly this for the request of §1.3", async () => {
    const { ask, streams } = await start();
    const client = await ask();
    expect((await client.response()).head).toBe(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
    expect(streams).toHaveLength(1);
  });

  it("H31 frames in the packet of the request reach the stream", async () => {
    const { port, streams } = await start();
    const client = use(await RawClient.connect(port));
    client.send(Buffer.concat([Buffer.from(createRequest()), Buffer.from("818537fa213d7f9f4d5158", "hex")]));
    await client.response();
    const { readable } = await streams[0].opened;
    expect(await readable.getReader().read()).toEqual({ done: false, value: "Hello" });
  });

  it("gives the stream its request, address and URL", async () => {
    const { ask, streams } = await start();
    const client = await ask({ line: "GET /a%20b?c=d HTTP/1.1", fields: { Host: "Example.com:8080", Cookie: "e=f" } });
    await client.response();
    const [stream] = streams;
    expect(stream.url).toBe("ws://example.com:8080/a%20b?c=d");
    expect(stream.remoteAddress).toBe("127.0.0.1");
    expect(stream.request.headers.cookie).toBe("e=f");
    expect(Object.prototype.toString.call(stream)).toBe("[object ServerWebSocketStream]");
  });
});

describe("RFC 6455 §4.2.1 what is refused", () => {
  const rows: [name: string, init: RequestInit, status: number, fields?: Record<string, string>][] = [
    ["H18 another method", { line: "POST / HTTP/1.1" }, 405, { allow: "GET" }],
    ["H20 another upgrade", { fields: { Upgrade: "h2c" } }, 400],
    ["H21 no key", { fields: { "Sec-WebSocket-Key": null } }, 400],
    ["H21 a short key", { fields: { "Sec-WebSocket-Key": "AAAA" } }, 400],
    [
      "H21 two keys",
      { fields: { "Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="] } },
      400,
    ],
    [
      "H22 an old version",
      { fields: { "Sec-WebSocket-Version": "8" } },
      426,
      { "sec-websocket-version": "13", upgrade: "websocket", connection: "close, Upgrade" },
    ],
    ["H23 another page", { fields: { Origin: "http://evil.test" } }, 403],
    ["H25 a bad protocol list", { fields: { "Sec-WebSocket-Protocol": "a,,b" } }, 400],
    ["H27 a bad extension list", { fields: { "Sec-WebSocket-Extensions": "a;;" } }, 400],
    ["a Host that is none", { fields: { Host: "a b" } }, 400],
    ["an empty Host", { line: "GET /a HTTP/1.1", fields: { Host: "" } }, 400],
    ["a request target without a path", { line: "GET * HTTP/1.1" }, 400],
    ["a Host with a path", { fields: { Host: "localhost/x" } }, 400],
  ];
  it.each(rows)("%s: %j is answered with %j", async (_, init, status, fields = {}) => {
    const { ask, streams, errors } = await start();
    const refusal = await readRefusal(await ask(init));
    expect(refusal.status).toBe(status);
    expect(refusal.headers).toMatchObject(fields);
    expect(refusal.body).not.toBe("");
    expect(streams).toEqual([]);
    expect(errors).toEqual([]);
  });

  it("H24 a path that is not served", async () => {
    const { ask } = await start({ path: "/socket" });
    expect((await readRefusal(await ask({ line: "GET /other HTTP/1.1" }))).status).toBe(404);
    expect((await (await ask({ line: "GET /socket?x HTTP/1.1" })).response()).status).toBe(101);
    expect((await (await ask({ line: "GET http://localhost/socket HTTP/1.1" })).response()).status).toBe(101);
  });

  it("an Origin of the same host is not", async () => {
    const { ask } = await start();
    expect((await (await ask({ fields: { Origin: "http://localhost" } })).response()).status).toBe(101);
  });

  it("an Origin check that throws is answered with 500 and reported", async () => {
    const problem = new Error("secret");
    const { ask, errors } = await start({
      origins: () => {
        throw problem;
      },
    });
    const refusal = await readRefusal(await ask({ fields: { Origin: "http://localhost" } }));
    expect(refusal.status).toBe(500);
    expect(refusal.body).not.toContain("secret");
    expect(errors).toEqual([problem]);
  });

  it("an asynchronous Origin check decides", async () => {
    const { ask } = await start({ origins: async (origin) => origin === "http://good.test" });
    expect((await (await ask({ fields: { Origin: "http://good.test" } })).response()).status).toBe(101);
    expect((await readRefusal(await ask({ fields: { Origin: "http://bad.test" } }))).status).toBe(403);
  });
});

describe("RFC 6455 §4.2.2 subprotocol and extensions", () => {
  it("H26 selects by the server's preference", async () => {
    const { ask, streams } = await start({ protocols: ["b", "a"] });
    const client = await ask({ fields: { "Sec-WebSocket-Protocol": ["a", "b, c"] } });
    expect((await client.response()).headers["sec-websocket-protocol"]).toBe("b");
    expect((await streams[0].opened).protocol).toBe("b");
  });

  it("H26 sends no field when none fits", async () => {
    const { ask } = await start({ protocols: ["b"] });
    const response = await (await ask({ fields: { "Sec-WebSocket-Protocol": "a" } })).response();
    expect(response.status).toBe(101);
    expect(response.headers).not.toHaveProperty("sec-websocket-protocol");
  });

  it("a function that picks what was not offered is our fault: 500", async () => {
    const { ask, errors } = await start({ protocols: () => "x" });
    expect((await readRefusal(await ask({ fields: { "Sec-WebSocket-Protocol": "a" } }))).status).toBe(500);
    expect(errors).toEqual([expect.any(TypeError)]);
  });

  it("D-33 does not compress unless enabled", async () => {
    const fields = { "Sec-WebSocket-Extensions": "permessage-deflate" };
    const off = await start();
    expect((await (await off.ask({ fields })).response()).headers).not.toHaveProperty("sec-websocket-extensions");
    const on = await start({ perMessageDeflate: { serverNoContextTakeover: true } });
    const client = await on.ask({ fields });
    expect((await client.response()).headers["sec-websocket-extensions"]).toBe(
      "permessage-deflate; server_no_context_takeover",
    );
    client.send(Buffer.from("c18700000000f248cdc9c90700", "hex"));
    const { readable, extensions } = await on.streams[0].opened;
    expect(extensions).toBe("permessage-deflate; server_no_context_takeover");
    expect((await readable.getReader().read()).value).toBe("Hello");
  });
});

describe("option upgrade", () => {
  it("refuses with a real Response", async () => {
    const headers = [
      ["WWW-Authenticate", "Bearer"],
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
    ] as [string, string][];
    const { ask, streams } = await start({ upgrade: () => new Response("who are you? ä", { status: 401, headers }) });
    const refusal = await readRefusal(await ask());
    expect(refusal).toMatchObject({ status: 401, body: "who are you? ä" });
    expect(refusal.headers).toMatchObject({ "www-authenticate": "Bearer", "set-cookie": "a=1, b=2" });
    expect(streams).toEqual([]);
  });

  it("refuses with a Response that has no body, and with one that is streamed", async () => {
    const { ask } = await start({
      upgrade: async ({ url }) => {
        if (url === "/redirect") return new Response(null, { status: 307, headers: { Location: "/there" } });
        const body = new ReadableStream({
          start: async (controller) => {
            controller.enqueue(new TextEncoder().encode("in "));
            await null;
            controller.enqueue(new TextEncoder().encode("parts"));
            controller.close();
          },
        });
        return new Response(body, { status: 503 });
      },
    });
    expect(await readRefusal(await ask({ line: "GET /redirect HTTP/1.1" }))).toMatchObject({
      status: 307,
      body: "",
      headers: { location: "/there" },
    });
    expect(await readRefusal(await ask())).toMatchObject({ status: 503, body: "in parts" });
  });

  it("accepts with options, also asynchronously", async () => {
    const { ask, streams } = await start({
      protocols: ["a"],
      upgrade: async () => ({ protocol: "b", headers: { "Set-Cookie": "session=1" }, maxMessageBytes: 4 }),
    });
    const client = await ask({ fields: { "Sec-WebSocket-Protocol": "a, b" } });
    const response = await client.response();
    expect(response.headers).toMatchObject({ "sec-websocket-protocol": "b", "set-cookie": "session=1" });
    client.send(Buffer.from("818537fa213d7f9f4d5158", "hex"));
    await expect(streams[0].closed).rejects.toMatchObject({ closeCode: 1006 });
    expect((await client.bytes(4)).subarray(2).toString("hex")).toBe("03f1");
  });

  it("accepts with nothing", async () => {
    const { ask } = await start({ upgrade: () => {} });
    expect((await (await ask()).response()).status).toBe(101);
  });

  const faults: [name: string, upgrade: OwnPortOptions["upgrade"]][] = [
    ["throws", () => Promise.reject(new Error("secret"))],
    ["returns a number", (() => 401) as unknown as OwnPortOptions["upgrade"]],
    ["sets a field of the handshake", () => ({ headers: { "Sec-WebSocket-Accept": "x" } })],
    ["sets a field with a line break", () => ({ headers: [["X-Own", "a\r\nb: c"]] })],
    ["picks a protocol that was not offered", () => ({ protocol: "x" })],
    ["sets an impossible limit", () => ({ maxFragments: -1 })],
    ["sets an impossible strategy", () => ({ readableStrategy: { highWaterMark: -1 } })],
    ["returns Response.error()", () => Response.error()],
    ["returns a Response with a control character", () => new Response(null, { headers: { "X-Own": "a\u0001b" } })],
  ];
  it.each(faults)("that %s is answered with 500 without detail, and reported", async (_, upgrade) => {
    const { ask, errors, streams } = await start({ upgrade });
    const refusal = await readRefusal(await ask());
    expect(refusal).toMatchObject({ status: 500, body: "The server failed to handle this request\n" });
    expect(errors).toEqual([expect.any(Error)]);
    expect(streams).toEqual([]);
  });

  it("learns from its signal that the client went away; its answer is dropped then", async () => {
    const { promise: entered, resolve: enter } = withResolvers<AbortSignal>();
    const { promise: answer, resolve: giveAnswer } = withResolvers<Response>();
    let isBodyCancelled = false;
    const { ask, errors, server, streams } = await start({
      upgrade: (_, { signal }) => {
        enter(signal);
        return answer;
      },
    });
    const client = await ask();
    const signal = await entered;
    const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
    client.destroy();
    await aborted;
    expect(signal.reason).toMatchObject({ code: "ERR_SLUICE_HANDSHAKE_LOST" });
    const { promise: cancelled, resolve: cancel } = withResolvers<void>();
    const body = new ReadableStream({
      cancel: () => {
        isBodyCancelled = true;
        cancel();
      },
    });
    giveAnswer(new Response(body));
    await cancelled;
    expect({ isBodyCancelled, errors, streams, count: server.connectionCount }).toEqual({
      isBodyCancelled: true,
      errors: [],
      streams: [],
      count: 0,
    });
  });

  it("H30 a client that has ended its side meanwhile is cut off", async () => {
    const { promise: entered, resolve: enter } = withResolvers<AbortSignal>();
    const { ask, streams } = await start({
      upgrade: (_, { signal }) => {
        enter(signal);
        return new Promise(() => {});
      },
    });
    const client = await ask();
    await entered;
    client.socket.end();
    expect((await client.rest()).byteLength).toBe(0);
    await client.closed();
    expect(streams).toEqual([]);
  });

  it("that never answers ends in 503 with Retry-After", async () => {
    const { ask } = await start({ upgrade: () => new Promise(() => {}), handshakeTimeoutMs: 20 });
    expect(await readRefusal(await ask())).toMatchObject({ status: 503, headers: { "retry-after": "5" } });
  });
});

describe("handleUpgrade()", () => {
  it("H30 takes a socket once, and leaves it alone the second time", async () => {
    const { streams, ask } = await start();
    const other = use(new WebSocketStreamServer({ noServer: true }));
    await (await ask()).response();
    const { request } = streams[0];
    await expect(other.handleUpgrade(request, request.socket, new Uint8Array(0))).rejects.toThrow(
      "Cannot upgrade this socket as it was given to a server before",
    );
    expect(request.socket.destroyed).toBe(false);
  });

  it("rejects with the status, after the client was answered", async () => {
    const server = use(new WebSocketStreamServer({ noServer: true }));
    const { promise: refused, resolve } = withResolvers<UpgradeRefusedError>();
    const httpServer = use(http.createServer());
    httpServer.on("upgrade", (request, socket, head) => {
      server.handleUpgrade(request, socket, head).catch(resolve);
    });
    const port = await listen(httpServer);
    const client = use(await RawClient.upgrade(port, { fields: { "Sec-WebSocket-Version": "7" } }));
    expect((await readRefusal(client)).status).toBe(426);
    expect(await refused).toMatchObject({ code: "ERR_SLUICE_UPGRADE_REFUSED", statusCode: 426 });
    await expect(server.listening).rejects.toThrow("noServer");
  });
});
