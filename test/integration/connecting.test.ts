import net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketError, WebSocketStream } from "../../packages/sluice/src/index.ts";
import { serve } from "../../packages/sluice/src/server.ts";
import { outcomeOf, reasonOf } from "../support/harness.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A TCP server that treats each connection as `accept` says; by default it never answers. */
async function rawServer(
  accept: (socket: net.Socket) => void = () => {},
): Promise<{ url: string; sockets: net.Socket[] }> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as net.AddressInfo).port}/`, sockets };
}

async function connected(sockets: net.Socket[]): Promise<net.Socket> {
  while (sockets.length === 0) await new Promise(setImmediate);
  return sockets[0] as net.Socket;
}

function ended(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

function expectFailed(reason: unknown, closeCode: number | null): asserts reason is WebSocketError & { cause: Error } {
  expect(reason).toBeInstanceOf(WebSocketError);
  expect((reason as WebSocketError).closeCode).toBe(closeCode);
  expect((reason as WebSocketError).reason).toBe("");
  expect((reason as Error).cause).toBeInstanceOf(Error);
}

describe("spec-digest 2.16 row 1: the handshake fails", () => {
  it.each<[string, (socket: net.Socket) => void]>([
    ["with a 404", (socket) => socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone")],
    [
      "with a bad accept",
      (socket) =>
        socket.end("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"),
    ],
    ["with garbage", (socket) => socket.end("garbage\r\n\r\n")],
    ["with FIN", (socket) => socket.end()],
    ["with RST", (socket) => socket.resetAndDestroy()],
  ])("%s: opened and closed reject with two errors", async (_, accept) => {
    const { url } = await rawServer((socket) => socket.once("data", () => accept(socket)));
    const stream = new WebSocketStream(url);
    const opened = await reasonOf(stream.opened);
    const closed = await reasonOf(stream.closed);
    expectFailed(opened, null);
    expectFailed(closed, 1006);
    expect(opened).not.toBe(closed);
  });

  it("when nobody listens, naming address and code in the cause", async () => {
    const { url } = await rawServer();
    await cleanups.pop()?.();
    const reason = await reasonOf(new WebSocketStream(url).opened);
    expectFailed(reason, null);
    expect(reason.cause).toMatchObject({ code: "ERR_SLUICE_CONNECT_FAILED", cause: { code: "ECONNREFUSED" } });
  });

  it("a refusal's status, headers and body are in the cause", async () => {
    const server = await serve(
      {
        port: 0,
        host: "127.0.0.1",
        upgrade: () => new Response("not you", { status: 403, headers: { "X-Why": "test" } }),
      },
      () => {},
    );
    cleanups.push(() => server.close());
    const { url } = await server.listening;
    const reason = await reasonOf(new WebSocketStream(url).opened);
    expectFailed(reason, null);
    const cause = reason.cause as Error & { code: string; statusCode: number; headers: Headers; body: string };
    expect([cause.code, cause.statusCode, cause.body]).toEqual(["ERR_SLUICE_HANDSHAKE_STATUS", 403, "not you"]);
    expect(cause.headers.get("x-why")).toBe("test");
  });

  it("a failure that nobody looks at is no unhandled rejection (D-05)", async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", listener);
    cleanups.push(() => process.off("unhandledRejection", listener));
    const { url } = await rawServer((socket) => socket.destroy());
    const stream = new WebSocketStream(url);
    await reasonOf(stream.opened);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(unhandled).toEqual([]);
  });
});

describe("spec-digest 2.16 row 2: the signal", () => {
  it.each<[string, unknown]>([
    ["an Error", new Error("mine")],
    ["a string", "a string"],
    ["0", 0],
  ])("already aborted with %s: both reject with that value, nothing is connected", async (_, reason) => {
    const { url, sockets } = await rawServer();
    const stream = new WebSocketStream(url, { signal: AbortSignal.abort(reason) });
    expect(stream.url).toBe(url);
    expect(await reasonOf(stream.opened)).toBe(reason);
    expect(await reasonOf(stream.closed)).toBe(reason);
    stream.close();
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(sockets).toHaveLength(0);
  });

  it("aborted during the handshake: both reject with the reason, the socket ends", async () => {
    const { url, sockets } = await rawServer();
    const controller = new AbortController();
    const stream = new WebSocketStream(url, { signal: controller.signal });
    const socket = await connected(sockets);
    const reason = new Error("mine");
    controller.abort(reason);
    expect(await reasonOf(stream.opened)).toBe(reason);
    expect(await reasonOf(stream.closed)).toBe(reason);
    socket.resume();
    await ended(socket);
  });

  it("the default reason is an AbortError, a timeout's a TimeoutError", async () => {
    const { url } = await rawServer();
    const stream = new WebSocketStream(url, { signal: AbortSignal.timeout(20) });
    const controller = new AbortController();
    const other = new WebSocketStream(url, { signal: controller.signal });
    controller.abort();
    expect(await reasonOf(other.opened)).toMatchObject({ name: "AbortError" });
    expect(await reasonOf(stream.opened)).toMatchObject({ name: "TimeoutError" });
  });

  it("a listener that stops the event's propagation does not suppress it", async () => {
    const { url } = await rawServer();
    const controller = new AbortController();
    controller.signal.addEventListener("abort", (event) => event.stopImmediatePropagation());
    const stream = new WebSocketStream(url, { signal: controller.signal });
    controller.abort("why");
    expect(await reasonOf(stream.closed)).toBe("why");
  });

  it("after opened it does nothing", async () => {
    const server = await serve({ port: 0, host: "127.0.0.1" }, async (stream) => {
      const { readable, writable } = await stream.opened;
      await readable.pipeTo(writable);
    });
    cleanups.push(() => server.close());
    const controller = new AbortController();
    const stream = new WebSocketStream((await server.listening).url, { signal: controller.signal });
    const { readable, writable } = await stream.opened;
    controller.abort();
    await writable.getWriter().write("still open");
    expect((await readable.getReader().read()).value).toBe("still open");
    stream.close({ closeCode: 1000 });
    expect(await stream.closed).toEqual({ closeCode: 1000, reason: "" });
  });

  it("errors in URL and subprotocols win over an aborted signal", () => {
    const signal = AbortSignal.abort();
    expect(() => new WebSocketStream("no url", { signal })).toThrow(expect.objectContaining({ name: "SyntaxError" }));
    expect(() => new WebSocketStream("ws://h/", { signal, protocols: [""] })).toThrow(
      expect.objectContaining({ name: "SyntaxError" }),
    );
  });
});

describe("spec-digest 2.16 row 3: close() while connecting", () => {
  it("rejects both, later, with two errors, and ends the socket", async () => {
    const { url, sockets } = await rawServer();
    const stream = new WebSocketStream(url);
    const socket = await connected(sockets);
    let isSettled = false;
    outcomeOf(stream.opened).then(() => {
      isSettled = true;
    });
    stream.close({ closeCode: 1000, reason: "changed my mind" });
    await Promise.resolve();
    await Promise.resolve();
    expect(isSettled).toBe(false);
    expectFailed(await reasonOf(stream.opened), null);
    expectFailed(await reasonOf(stream.closed), 1006);
    socket.resume();
    await ended(socket);
  });

  it("validates in every state", async () => {
    const { url } = await rawServer();
    const stream = new WebSocketStream(url);
    const check = (): void => {
      expect(() => stream.close({ closeCode: 1001 })).toThrow(expect.objectContaining({ name: "InvalidAccessError" }));
      expect(() => stream.close({ reason: "é".repeat(62) })).toThrow(expect.objectContaining({ name: "SyntaxError" }));
      expect(() => stream.close(true as never)).toThrow(TypeError);
      expect(() => stream.close({ closeCode: 70_000 })).toThrow(TypeError);
    };
    check();
    stream.close();
    check();
    await reasonOf(stream.closed);
    check();
  });
});

describe("spec-digest 2.2, 2.3: the constructor", () => {
  it.each([
    ["http://127.0.0.1:1/x", "ws://127.0.0.1:1/x"],
    ["https://127.0.0.1:1/x", "wss://127.0.0.1:1/x"],
    ["http://127.0.0.1:80", "ws://127.0.0.1/"],
    ["http://127.0.0.1:443", "ws://127.0.0.1:443/"],
    ["ws://user:pass@127.0.0.1:1/", "ws://user:pass@127.0.0.1:1/"],
  ])("%s becomes %s", async (given, url) => {
    const stream = new WebSocketStream(given, { signal: AbortSignal.abort() });
    expect(stream.url).toBe(url);
  });

  it.each(["relative", "//host/", "ftp://h/", "ws://h/#", "ws://h/#fragment", "ws://"])(
    "%s is a SyntaxError",
    (url) => {
      expect(() => new WebSocketStream(url)).toThrow(expect.objectContaining({ name: "SyntaxError" }));
    },
  );

  it.each([[["a", "a"]], [["a", "A"]], [["a b"]], [["é"]], [[""]], [["a,b"]]])(
    "protocols %j are a SyntaxError",
    (protocols) => {
      expect(() => new WebSocketStream("ws://h/", { protocols })).toThrow(
        expect.objectContaining({ name: "SyntaxError" }),
      );
    },
  );

  it("wrong types are TypeErrors", () => {
    expect(() => Reflect.construct(WebSocketStream, [])).toThrow(TypeError);
    expect(() => Reflect.apply(WebSocketStream as never, undefined, ["ws://h/"])).toThrow(TypeError);
    for (const options of [true, "x", 1, { protocols: "x" }, { protocols: 1 }, { signal: null }, { signal: {} }]) {
      expect(() => new WebSocketStream("ws://h/", options as never)).toThrow(TypeError);
    }
  });

  it.each(["sendLimitBytes", "maxMessageBytes", "maxFragments", "closeTimeoutMs"])(
    "a negative %s is a RangeError",
    (name) => {
      expect(() => new WebSocketStream("ws://h/", { [name]: -1 })).toThrow(RangeError);
    },
  );
});
