import { execFile } from "node:child_process";
import http from "node:http";
import { promisify } from "node:util";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { type OwnPortOptions, type ServerWebSocketStream, serve } from "../../packages/sluice/src/server.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { listen } from "../support/listen.ts";
import { RawClient } from "../support/raw-http.ts";
import { createScope } from "../support/scope.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const use = createScope();

async function start(options: Partial<OwnPortOptions> = {}) {
  const streams: ServerWebSocketStream[] = [];
  const server = use(await serve({ port: 0, host: "127.0.0.1", ...options }, (stream) => void streams.push(stream)));
  const { port, url } = await server.listening;
  const ask = async () => use(await RawClient.upgrade(port));
  return { server, port, url, streams, ask };
}

describe("drain()", () => {
  it("closes with code and reason, refuses with 503 meanwhile and afterwards, and goes on listening", async () => {
    const { server, ask } = await start();
    const client = await ask();
    await client.response();
    const draining = server.drain({ closeCode: 1012, reason: "restart", deadlineMs: 60_000 });
    expect((await client.bytes(11)).toString("hex")).toBe(`880903f4${Buffer.from("restart").toString("hex")}`);
    const refused = await (await ask()).response();
    expect([refused.status, refused.headers["retry-after"]]).toEqual([503, "5"]);
    client.send(Buffer.from("888237fa213d340e", "hex"));
    client.socket.end();
    await draining;
    expect(server.connectionCount).toBe(0);
    expect((await (await ask()).response()).status).toBe(503);
  });

  it("closes with 1001 by default, which clients of this library see", async () => {
    const { server, url } = await start();
    const client = new WebSocketStream(url);
    await client.opened;
    await server.drain();
    expect(await client.closed).toEqual({ closeCode: 1001, reason: "" });
  });

  it("cuts off at the deadline who does not answer", async () => {
    const { server, streams, ask } = await start();
    const client = await ask();
    await client.response();
    await server.drain({ deadlineMs: 10 });
    expect(server.connectionCount).toBe(0);
    await expect(streams[0].closed).rejects.toMatchObject({ closeCode: 1006 });
    await client.rest();
  });

  it("refuses handshakes that wait for the hook", async () => {
    const { promise: entered, resolve: enter } = withResolvers<void>();
    const { server, ask } = await start({
      upgrade: () => {
        enter();
        return new Promise(() => {});
      },
    });
    const client = await ask();
    await entered;
    await server.drain();
    expect((await client.response()).status).toBe(503);
  });

  it("works again, and together with close(), which shortens it", async () => {
    const { server, ask } = await start();
    await (await ask()).response();
    const draining = server.drain({ deadlineMs: 3_600_000, spreadMs: 3_600_000 });
    await Promise.all([server.close(), server.close(), draining, server.drain({ deadlineMs: 3_600_000 })]);
    expect(server.connectionCount).toBe(0);
  });

  it("closes those too that nobody read from connections", async () => {
    const { WebSocketStreamServer } = await import("../../packages/sluice/src/server.ts");
    const server = use(new WebSocketStreamServer({ port: 0, host: "127.0.0.1" }));
    const client = new WebSocketStream((await server.listening).url);
    await client.opened;
    await server.drain();
    expect((await client.closed).closeCode).toBe(1001);
    const counts: number[] = [];
    for await (const stream of server.connections) counts.push((await stream.closed).closeCode);
    expect(counts).toEqual([1001]);
  });

  it.each([
    [{ closeCode: 1005 }, "InvalidAccessError"],
    [{ reason: "x".repeat(124) }, "SyntaxError"],
    [{ deadlineMs: -1 }, "RangeError"],
  ])("rejects for %j and changes nothing", async (options, name) => {
    const { server, ask } = await start();
    await expect(server.drain(options)).rejects.toMatchObject({ name });
    expect((await (await ask()).response()).status).toBe(101);
  });
});

describe("close()", () => {
  it("ends everything: connections, plain requests, half requests; the port is free then", async () => {
    const { server, port, url, ask } = await start();
    const client = new WebSocketStream(url);
    await client.opened;
    const [silent, half] = [use(await RawClient.connect(port)), use(await RawClient.connect(port))];
    half.send("GET / HTTP/1.1\r\n");
    await server.close();
    expect(await client.closed).toEqual({ closeCode: 1001, reason: "" });
    await Promise.all([silent.rest(), half.rest()]);
    await expect(ask()).rejects.toMatchObject({ code: "ECONNREFUSED" });
    const next = use(http.createServer());
    next.listen(port, "127.0.0.1");
    await new Promise((resolve) => next.once("listening", resolve));
  });

  it("may be called while the server is not listening yet, and when it could not", async () => {
    const { WebSocketStreamServer } = await import("../../packages/sluice/src/server.ts");
    const early = new WebSocketStreamServer({ port: 0, host: "localhost" });
    await early.close();
    const taken = use(http.createServer());
    const late = new WebSocketStreamServer({ port: await listen(taken), host: "127.0.0.1" });
    await late.close();
    expect(await late.listening.catch((error) => error.code)).toBe("EADDRINUSE");
  });

  it("is what await using calls", async () => {
    let closed: Promise<unknown>;
    {
      await using server = await serve({ port: 0, host: "127.0.0.1" }, () => {});
      const client = new WebSocketStream((await server.listening).url);
      await client.opened;
      closed = client.closed;
    }
    expect(await closed).toEqual({ closeCode: 1001, reason: "" });
  });

  it("lets the process exit: no socket, timer or server is left", async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: `
          import net from "node:net";
          import { WebSocketStreamServer, serve } from "./server.ts";
          import { WebSocketStream } from "./streams/websocket-stream.ts";
          const server = await serve({ port: 0, host: "127.0.0.1", upgrade: ({ url }) => url === "/slow" ? new Promise(() => {}) : undefined }, () => {});
          const { port, url } = await server.listening;
          const client = new WebSocketStream(url);
          await client.opened;
          const slow = new WebSocketStream(url + "slow");
          const raw = net.connect(port, "127.0.0.1");
          raw.on("error", () => {}).resume();
          const rawClosed = new Promise((resolve) => raw.once("close", resolve));
          await new Promise((resolve) => raw.once("connect", resolve));
          await server.close();
          console.log((await client.closed).closeCode, (await slow.closed.catch((error) => error)).closeCode);
          await rawClosed;
          await new Promise((resolve) => setImmediate(resolve));
          console.log(process.getActiveResourcesInfo().filter((name) => !/^(Pipe|TTY|FSReq|Immediate|Microtask)/.test(name)));
        `,
        resolveDir: new URL("../../packages/sluice/src", import.meta.url).pathname,
        loader: "ts",
      },
      bundle: true,
      write: false,
      platform: "node",
      format: "esm",
    });
    const running = promisify(execFile)(process.execPath, ["--input-type=module", "-"]);
    running.child.stdin?.end(outputFiles[0].text);
    const { stdout } = await running;
    expect(stdout).toBe("1001 1006\n[]\n");
  });
});
