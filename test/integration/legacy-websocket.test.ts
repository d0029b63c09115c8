import { once } from "node:events";
import net from "node:net";
import { WebSocket } from "sluice";
import { WebSocketStreamServer } from "sluice/server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocketServer, type WebSocket as WsSocket } from "ws";
import { listen } from "../support/listen.ts";
import { createScope } from "../support/scope.ts";

const scope = createScope();

/** Waits for the next event of this type; a failure that comes instead is shown. */
function next(socket: WebSocket, type: string): Promise<Event> {
  return new Promise((resolve, reject) => {
    socket.addEventListener(type, resolve, { once: true });
    if (type !== "close" && type !== "error") {
      const fail = (event: Event): void => reject(new Error(`${event.type} came instead of ${type}`));
      socket.addEventListener("close", fail, { once: true });
    }
  });
}

/** Everything that a socket says until it is closed. */
async function recordUntilClose(socket: WebSocket): Promise<string[]> {
  const log: string[] = [];
  socket.addEventListener("open", () => log.push(`open ${socket.readyState}`));
  socket.addEventListener("message", ({ data }) => log.push(`message ${socket.readyState} ${data}`));
  socket.addEventListener("error", () => log.push(`error ${socket.readyState}`));
  await new Promise<void>((resolve) => {
    socket.addEventListener("close", ({ code, reason, wasClean }) => {
      log.push(`close ${socket.readyState} ${code} "${reason}" ${wasClean}`);
      resolve();
    });
  });
  return log;
}

describe("against the server of npm ws", () => {
  let server: WebSocketServer;
  let url: string;

  beforeEach(async () => {
    server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: { threshold: 0 } });
    await once(server, "listening");
    url = `ws://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  });

  afterEach(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });

  function accept(handler: (socket: WsSocket) => void): void {
    server.on("connection", (socket) => {
      socket.on("error", () => {}); // 'close' follows
      handler(socket);
    });
  }

  it.each([true, false])("echoes everything in order, with perMessageDeflate %s", async (perMessageDeflate) => {
    accept((socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })));
    const socket = new WebSocket(`${url}/path`, { protocols: ["a", "b"], perMessageDeflate });
    socket.binaryType = "arraybuffer";
    expect([socket.url, socket.readyState]).toEqual([`${url}/path`, 0]);
    await next(socket, "open");
    expect([socket.protocol, socket.extensions.startsWith("permessage-deflate")]).toEqual(["a", perMessageDeflate]);
    const large = new Uint8Array(3_000_000).map((_, i) => i * 7);
    const messages = ["hé", "", large, new Blob(["blob"]), "x".repeat(100_000), Uint8Array.of(1).buffer];
    const received: unknown[] = [];
    const isComplete = new Promise<void>((resolve) => {
      socket.onmessage = ({ data, origin }) => {
        expect(origin).toBe(url);
        received.push(data);
        if (received.length === messages.length) resolve();
      };
    });
    for (const message of messages) socket.send(message);
    await isComplete;
    const blobBytes = Uint8Array.of(98, 108, 111, 98).buffer;
    expect(received).toEqual(["hé", "", large.buffer, blobBytes, "x".repeat(100_000), Uint8Array.of(1).buffer]);
    expect(socket.bufferedAmount).toBe(0);
    socket.close(4000, "done");
    expect(await recordUntilClose(socket)).toEqual(['close 3 4000 "done" true']);
  });

  it("hears why the server closes", async () => {
    accept((socket) => {
      socket.send("first");
      socket.send("second");
      socket.close(1012, "restart");
    });
    expect(await recordUntilClose(new WebSocket(url))).toEqual([
      "open 1",
      "message 1 first",
      "message 1 second",
      'close 3 1012 "restart" true',
    ]);
  });

  it("ends with error and close(1006) when the server terminates", async () => {
    accept((socket) => {
      socket.send("last", () => socket.terminate());
    });
    const log = await recordUntilClose(new WebSocket(url));
    expect(log.slice(-2)).toEqual(["error 3", 'close 3 1006 "" false']);
  });

  it("sends all messages before the Close frame", async () => {
    let receivedBytes = 0;
    const closed = new Promise<number>((resolve) => {
      accept((socket) => {
        socket.on("message", (data: Buffer) => {
          receivedBytes += data.byteLength;
        });
        socket.on("close", resolve);
      });
    });
    const socket = new WebSocket(url, { perMessageDeflate: false });
    await next(socket, "open");
    for (let i = 0; i < 100; i++) socket.send(new Uint8Array(100_000));
    expect(socket.bufferedAmount).toBe(10_000_000);
    socket.close(3000);
    const log = await recordUntilClose(socket);
    expect([await closed, receivedBytes, socket.bufferedAmount]).toEqual([3000, 10_000_000, 0]);
    expect(log).toEqual(['close 3 3000 "" true']);
  });

  it("takes tens of thousands of messages of one burst, in order", async () => {
    const count = 50_000;
    accept((socket) => {
      for (let i = 0; i < count; i++) socket.send(String(i), { compress: false });
      socket.close();
    });
    const socket = new WebSocket(url);
    let expected = 0;
    socket.onmessage = ({ data }) => {
      if (data === String(expected)) expected++;
    };
    const log: Event = await next(socket, "close");
    expect([expected, (log as CloseEvent).code]).toEqual([count, 1005]);
  });
});

describe("against our own server", () => {
  it("awaitListeners holds the server's write() back while a listener works", async () => {
    const server = scope(new WebSocketStreamServer({ port: 0, host: "127.0.0.1" }));
    const { url } = await server.listening;
    const socket = new WebSocket(url, { awaitListeners: true });
    const { value: stream } = await server.connections.getReader().read();
    const { writable } = await (stream as NonNullable<typeof stream>).opened;

    let release = (): void => {};
    const isWorking = new Promise<void>((resolve) => {
      release = resolve;
    });
    let received = 0;
    socket.addEventListener("message", async () => {
      received++;
      await isWorking;
    });

    const total = 64;
    let written = 0;
    const writer = writable.getWriter();
    const writing = (async () => {
      for (let i = 0; i < total; i++) {
        await writer.write(new Uint8Array(1_000_000));
        written++;
      }
    })();
    // The kernels on the way hold some megabytes. When nothing moves over many turns, the writer stands.
    let before = -1;
    while (written !== before || received === 0) {
      before = written;
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(received).toBe(1);
    expect(written).toBeLessThan(total / 2);
    release();
    await writing;
    const closed = recordUntilClose(socket);
    await writer.close();
    expect(received).toBe(total);
    expect((await closed).at(-1)).toBe('close 3 1005 "" true');
  });
});

describe("against bytes", () => {
  it("names the refusal of the server on the error event", async () => {
    const body = "no such feed";
    const head = `HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
    const server = scope(net.createServer((socket) => socket.once("data", () => socket.end(head + body))));
    const socket = new WebSocket(`ws://127.0.0.1:${await listen(server)}/`);
    const [error, log] = await Promise.all([next(socket, "error"), recordUntilClose(socket)]);
    expect(log).toEqual(["error 3", 'close 3 1006 "" false']);
    expect(error).toMatchObject({ error: { statusCode: 404, body } });
  });

  it("fails when the connection is refused, and never before the constructor has returned", async () => {
    const server = net.createServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    const log = recordUntilClose(socket);
    expect(socket.readyState).toBe(0);
    expect(await log).toEqual(["error 3", 'close 3 1006 "" false']);
  });

  it("close() while connecting destroys the attempt", async () => {
    const server = scope(net.createServer());
    const port = await listen(server);
    const accepted = once(server, "connection");
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    const [peer] = (await accepted) as [net.Socket];
    peer.resume();
    const log = recordUntilClose(socket);
    socket.close();
    expect(socket.readyState).toBe(2);
    expect(await log).toEqual(["error 3", 'close 3 1006 "" false']);
    if (!peer.closed) await once(peer, "close");
  });
});
