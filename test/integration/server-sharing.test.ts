import http from "node:http";
import https from "node:https";
import { describe, expect, it } from "vitest";
import { type ServerWebSocketStream, serve, WebSocketStreamServer } from "../../packages/sluice/src/server.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { createCertificate } from "../support/certificate.ts";
import { listen } from "../support/listen.ts";
import { RawClient } from "../support/raw-http.ts";
import { createScope } from "../support/scope.ts";

const use = createScope();

function greet(text: string) {
  return async (stream: ServerWebSocketStream) => {
    const { writable } = await stream.opened;
    await writable.getWriter().write(text);
  };
}

async function readFirst(url: string, options = {}): Promise<unknown> {
  const stream = new WebSocketStream(url, options);
  const { readable } = await stream.opened;
  const { value } = await readable.getReader().read();
  stream.close();
  return value;
}

async function getStatus(port: number, path: string): Promise<number> {
  const client = use(await RawClient.upgrade(port, { line: `GET ${path} HTTP/1.1` }));
  return (await client.response()).status;
}

describe("a server on an existing HTTP server", () => {
  it("shares it with another one and with plain requests", async () => {
    const httpServer = use(http.createServer((_, response) => response.end("page")));
    const first = use(await serve({ server: httpServer, path: "/a" }, greet("a")));
    use(await serve({ server: httpServer, path: "/b" }, greet("b")));
    const port = await listen(httpServer);
    expect(await first.listening).toEqual({ address: "127.0.0.1", port, url: `ws://127.0.0.1:${port}/a` });
    expect(await readFirst(`ws://127.0.0.1:${port}/a`)).toBe("a");
    expect(await readFirst(`ws://127.0.0.1:${port}/b?c`)).toBe("b");
    expect(await (await fetch(`http://127.0.0.1:${port}/a`)).text()).toBe("page");
    expect(await getStatus(port, "/c")).toBe(404);
  });

  it("takes every path that no other one has, without a path of its own", async () => {
    const httpServer = use(http.createServer());
    use(await serve({ server: httpServer }, greet("rest")));
    use(await serve({ server: httpServer, path: "/a" }, greet("a")));
    const port = await listen(httpServer);
    expect(await readFirst(`ws://127.0.0.1:${port}/a`)).toBe("a");
    expect(await readFirst(`ws://127.0.0.1:${port}/x`)).toBe("rest");
  });

  it("leaves other paths to other listeners", async () => {
    const httpServer = use(http.createServer());
    httpServer.on("upgrade", (request, socket) => {
      if (request.url === "/theirs") socket.end("HTTP/1.1 418 Teapot\r\n\r\n");
    });
    use(await serve({ server: httpServer, path: "/ours" }, greet("ours")));
    const port = await listen(httpServer);
    expect(await getStatus(port, "/theirs")).toBe(418);
    expect(await readFirst(`ws://127.0.0.1:${port}/ours`)).toBe("ours");
  });

  it("cannot serve the same path twice, but again after close()", async () => {
    const httpServer = use(http.createServer());
    const first = use(new WebSocketStreamServer({ server: httpServer, path: "/a" }));
    expect(() => new WebSocketStreamServer({ server: httpServer, path: "/a" })).toThrow(
      "Cannot serve /a as another WebSocketStreamServer on this HTTP server does",
    );
    await first.close();
    expect(httpServer.listenerCount("upgrade")).toBe(0);
    use(new WebSocketStreamServer({ server: httpServer, path: "/a" }));
    await first.close();
    expect(httpServer.listenerCount("upgrade")).toBe(1);
  });

  it("close() ends its connections and leaves the HTTP server running", async () => {
    const httpServer = use(http.createServer((_, response) => response.end("page")));
    const server = use(await serve({ server: httpServer, path: "/a" }, greet("a")));
    const port = await listen(httpServer);
    const client = new WebSocketStream(`ws://127.0.0.1:${port}/a`);
    await client.opened;
    await server.close();
    expect((await client.closed).closeCode).toBe(1001);
    expect(await (await fetch(`http://127.0.0.1:${port}/a`)).text()).toBe("page");
  });

  it("does not take the errors of the HTTP server away from its owner", async () => {
    const taken = use(http.createServer());
    const port = await listen(taken);
    const httpServer = use(http.createServer());
    const server = use(new WebSocketStreamServer({ server: httpServer }));
    expect(httpServer.listenerCount("error")).toBe(0);
    const owned = new Promise((resolve) => httpServer.once("error", resolve));
    httpServer.listen(port, "127.0.0.1");
    expect(await owned).toMatchObject({ code: "EADDRINUSE" });
    await expect(server.listening).rejects.toMatchObject({ code: "EADDRINUSE" });
  });

  it("may be an https server", async () => {
    const { key, cert } = await createCertificate();
    const httpServer = use(https.createServer({ key, cert }));
    const server = use(await serve({ server: httpServer }, greet("safe")));
    await listen(httpServer);
    const { url } = await server.listening;
    expect(url).toMatch(/^wss:/);
    expect(await readFirst(url, { tls: { ca: cert } })).toBe("safe");
  });
});

describe("a server with a port of its own", () => {
  it("may speak TLS, and survives a client that does not", async () => {
    const { key, cert } = await createCertificate();
    const urls: string[] = [];
    const server = use(
      await serve({ port: 0, host: "127.0.0.1", tls: { key, cert } }, async (stream) => {
        urls.push(stream.url);
        await greet("safe")(stream);
      }),
    );
    const { port, url } = await server.listening;
    expect(url).toBe(`wss://127.0.0.1:${port}/`);
    const client = use(await RawClient.upgrade(port));
    await client.rest();
    expect(await readFirst(url, { tls: { ca: cert } })).toBe("safe");
    expect(urls).toEqual([url]);
  });

  it("says that its port is in use, to serve(), to listening and to the reader of connections", async () => {
    const first = use(new WebSocketStreamServer({ port: 0, host: "127.0.0.1" }));
    const { port } = await first.listening;
    const refusal = {
      code: "EADDRINUSE",
      message: `Cannot listen on 127.0.0.1, port ${port} as it is in use: stop the other process, or choose another port (0 takes a free one)`,
    };
    await expect(serve({ port, host: "127.0.0.1" }, () => {})).rejects.toMatchObject(refusal);
    const second = use(new WebSocketStreamServer({ port, host: "127.0.0.1" }));
    await expect(second.connections.getReader().read()).rejects.toMatchObject(refusal);
    await expect(second.listening).rejects.toMatchObject(refusal);
  });

  it("gives a URL that can be connected to when it listens everywhere", async () => {
    const server = use(new WebSocketStreamServer({ port: 0, path: "/socket" }));
    const { port, url } = await server.listening;
    expect(url).toBe(`ws://localhost:${port}/socket`);
  });
});

describe("handleUpgrade()", () => {
  it("gives the connection to its caller, and not to connections", async () => {
    const server = use(new WebSocketStreamServer({ noServer: true, protocols: ["a"] }));
    const httpServer = use(http.createServer());
    httpServer.on("upgrade", (request, socket, head) => {
      server.handleUpgrade(request, socket, head).then(greet("routed"), () => {});
    });
    const port = await listen(httpServer);
    expect(await readFirst(`ws://127.0.0.1:${port}/`, { protocols: ["a"] })).toBe("routed");
    await server.close();
    expect(await server.connections.getReader().read()).toEqual({ done: true, value: undefined });
    expect(await getStatus(port, "/")).toBe(503);
  });

  it("gives it to the handler of serve(), too", async () => {
    const server = use(await serve({ noServer: true }, greet("handled")));
    const httpServer = use(http.createServer());
    httpServer.on("upgrade", (request, socket, head) => void server.handleUpgrade(request, socket, head));
    const port = await listen(httpServer);
    expect(await readFirst(`ws://127.0.0.1:${port}/`)).toBe("handled");
  });
});

describe("options that cannot be meant", () => {
  const rows: [options: object, error: typeof TypeError | typeof RangeError][] = [
    [{}, TypeError],
    [{ port: 0, noServer: true }, TypeError],
    [{ noServer: true, origins: ["example.com"] }, TypeError],
    [{ noServer: true, upgrade: 1 }, TypeError],
    [{ noServer: true, maxConnections: 0 }, RangeError],
    [{ noServer: true, handshakeTimeoutMs: Number.NaN }, RangeError],
    [{ noServer: true, maxMessageBytes: -1 }, RangeError],
    [{ noServer: true, perMessageDeflate: "yes" }, TypeError],
    [{ noServer: true, perMessageDeflate: 1 }, TypeError],
    [{ noServer: true, perMessageDeflate: { filter: "text" } }, TypeError],
    [{ noServer: true, perMessageDeflate: { level: 10 } }, RangeError],
    [{ noServer: true, perMessageDeflate: { memLevel: 0 } }, RangeError],
    [{ noServer: true, perMessageDeflate: { thresholdBytes: -1 } }, RangeError],
    [{ noServer: true, perMessageDeflate: { serverMaxWindowBits: 7 } }, RangeError],
    [{ noServer: true, perMessageDeflate: { clientMaxWindowBits: 16 } }, RangeError],
    [{ server: http.createServer(), path: "a" }, TypeError],
    [{ server: http.createServer(), path: "/a?b" }, TypeError],
  ];
  it.each(rows)("%j: throws", (options, error) => {
    expect(() => new WebSocketStreamServer(options as { noServer: true })).toThrow(error);
  });

  it("serve() rejects with them before it listens, and says which option it is", async () => {
    const options = { port: 0, perMessageDeflate: { level: 10 } };
    await expect(serve(options, () => {})).rejects.toThrow(
      new RangeError("Cannot use level as it must be an integer from 0 to 9: current value is 10"),
    );
  });
});
