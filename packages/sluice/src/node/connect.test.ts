import { createHash } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { inflateRawSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import type { Connection, ConnectionObserver, ConnectionResult } from "../connection/connection.ts";
import { isBadPort } from "./bad-port.ts";
import type { ConnectObserver, ConnectOptions } from "./connect.ts";
import { connect } from "./connect.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

interface Peer {
  readonly url: URL;
  /** The request's head. */
  readonly request: Promise<string>;
  /** Everything after the head, as it comes. */
  readonly received: Buffer[];
  socket: net.Socket;
  until(condition: () => boolean): Promise<void>;
}

/** A server that answers a good 101 with further fields, and sends `tail` in the same packet. */
async function serve(fields: string = "", tail: Buffer = Buffer.alloc(0)): Promise<Peer> {
  let tell: (head: string) => void = () => {};
  const waiters: (() => void)[] = [];
  const peer = {
    received: [] as Buffer[],
    request: new Promise<string>((resolve) => {
      tell = resolve;
    }),
    async until(condition: () => boolean): Promise<void> {
      while (!condition()) await new Promise<void>((resolve) => waiters.push(resolve));
    },
  } as Peer;
  const server = net.createServer((socket) => {
    peer.socket = socket;
    socket.on("error", () => {});
    let head: string | null = "";
    const wake = (): void => {
      for (const waiter of waiters.splice(0)) waiter();
    };
    socket.on("close", wake);
    socket.on("data", (chunk: Buffer) => {
      if (head === null) {
        peer.received.push(chunk);
        wake();
        return;
      }
      head += chunk.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      const key = /Sec-WebSocket-Key: (.*)\r\n/.exec(head)?.[1] ?? "";
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      const answer = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${fields}\r\n`;
      socket.write(Buffer.concat([Buffer.from(answer, "latin1"), tail]));
      tell(head);
      head = null;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => {
    peer.socket?.destroy();
    server.close();
  });
  return Object.assign(peer, { url: new URL(`ws://127.0.0.1:${(server.address() as net.AddressInfo).port}/`) });
}

interface Established {
  readonly connection: Connection;
  readonly info: { protocol: string; extensions: string; head: Uint8Array };
  readonly messages: (string | Uint8Array)[];
  readonly closed: Promise<ConnectionResult>;
}

function open(url: URL, options: Partial<ConnectOptions> = {}): Promise<Established> {
  return new Promise((resolve, reject) => {
    connect(
      { url, protocols: [], connection: {}, ...options },
      {
        onEstablished(connection, info) {
          const messages: (string | Uint8Array)[] = [];
          let close: (result: ConnectionResult) => void = () => {};
          const closed = new Promise<ConnectionResult>((done) => {
            close = done;
          });
          const observer: ConnectionObserver = {
            onMessage: (message) => messages.push(message),
            onCloseStarted() {},
            onClosed: (result) => close(result),
          };
          connection.start(observer, info.head);
          connection.setDemand(true);
          cleanups.push(() => connection.destroy());
          resolve({ connection, info, messages, closed });
        },
        onFailed: reject,
      },
    );
  });
}

const NEVER: ConnectObserver = {
  onEstablished() {
    throw new Error("Established");
  },
  onFailed(error) {
    throw error;
  },
};

/** The payload of one masked frame. */
function unmask(frame: Buffer): Buffer {
  const payload = Buffer.from(frame.subarray(6));
  for (let index = 0; index < payload.length; index++) {
    payload[index] = (payload[index] as number) ^ (frame[2 + (index & 3)] as number);
  }
  return payload;
}

describe("connect()", () => {
  it("H05-H07: sends a fresh key, the protocols and the default extension offer", async () => {
    const heads: string[] = [];
    for (let index = 0; index < 2; index++) {
      const peer = await serve("Sec-WebSocket-Protocol: b\r\n");
      const { info } = await open(peer.url, { protocols: ["a", "b"] });
      expect(info.protocol).toBe("b");
      expect(info.extensions).toBe("");
      heads.push(await peer.request);
    }
    expect(heads[0]).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
    expect(heads[0]).toMatch(/\r\nUpgrade: websocket\r\n/);
    expect(heads[0]).toMatch(/\r\nConnection: Upgrade\r\n/);
    expect(heads[0]).toMatch(/\r\nSec-WebSocket-Version: 13\r\n/);
    expect(heads[0]).toMatch(/\r\nSec-WebSocket-Protocol: a, b\r\n/);
    expect(heads[0]).toMatch(/\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n/);
    expect(heads[0]).not.toMatch(/\r\nOrigin:/i);
    const keys = heads.map((head) => /Sec-WebSocket-Key: ([A-Za-z0-9+/]{22}==)\r\n/.exec(head)?.[1]);
    expect(keys[0]).toBeTypeOf("string");
    expect(keys[0]).not.toBe(keys[1]);
  });

  it("sends headers, origin and the userinfo of the URL", async () => {
    const peer = await serve();
    const url = new URL(peer.url);
    url.username = "user";
    url.password = "pass";
    await open(url, { headers: { "X-A": "1" }, origin: "https://a.example", perMessageDeflate: false });
    const head = await peer.request;
    expect(head).toContain("\r\nX-A: 1\r\n");
    expect(head).toContain("\r\nOrigin: https://a.example\r\n");
    expect(head).toContain("\r\nAuthorization: Basic dXNlcjpwYXNz\r\n");
    expect(head).not.toContain("Sec-WebSocket-Extensions");
  });

  it("H31: messages and a Close in the response's packet are all delivered", async () => {
    const peer = await serve("", Buffer.from("810161820162880203e8", "hex"));
    const { messages, closed } = await open(peer.url);
    await peer.until(() => peer.received.length > 0);
    expect(unmask(Buffer.concat(peer.received)).toString("hex")).toBe("03e8");
    peer.socket.end();
    expect(await closed).toMatchObject({ isClean: true, closeCode: 1000 });
    expect(messages[0]).toBe("a");
    expect(messages[1]).toEqual(new Uint8Array([0x62]));
  });

  it("frames of both directions pass, ours masked", async () => {
    const peer = await serve();
    const { connection, messages } = await open(peer.url);
    connection.send("Hello");
    await peer.until(() => Buffer.concat(peer.received).length === 11);
    const frame = Buffer.concat(peer.received);
    expect(frame.subarray(0, 2).toString("hex")).toBe("8185");
    expect(unmask(frame).toString()).toBe("Hello");
    peer.socket.write(Buffer.from("810548656c6c6f", "hex"));
    while (messages.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(messages).toEqual(["Hello"]);
    expect(connection.remoteAddress).toBe("127.0.0.1");
  });

  it("permessage-deflate: what was negotiated is used in both directions", async () => {
    const peer = await serve("Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n");
    const { connection, info, messages } = await open(peer.url, { perMessageDeflate: { thresholdBytes: 0 } });
    expect(info.extensions).toBe("permessage-deflate; client_no_context_takeover");
    peer.socket.write(Buffer.from("c107f248cdc9c90700", "hex"));
    while (messages.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(messages).toEqual(["Hello"]);
    connection.send("a".repeat(100));
    await peer.until(() => peer.received.length > 0);
    const frame = Buffer.concat(peer.received);
    expect(frame[0]).toBe(0xc1);
    const inflated = inflateRawSync(Buffer.concat([unmask(frame), Buffer.from("0000ffff", "hex")]), {
      finishFlush: 2, // Z_SYNC_FLUSH
    });
    expect(inflated.toString()).toBe("a".repeat(100));
  });

  it.each<[string, ConnectOptions["perMessageDeflate"], string]>([
    ["a larger window than offered", { clientMaxWindowBits: 10 }, "permessage-deflate; client_max_window_bits=11"],
    ["any extension when none was offered", false, "permessage-deflate"],
  ])("H15: %s fails", async (_name, perMessageDeflate, response) => {
    const peer = await serve(`Sec-WebSocket-Extensions: ${response}\r\n`);
    const code = "ERR_SLUICE_HANDSHAKE_EXTENSIONS";
    await expect(open(peer.url, { perMessageDeflate })).rejects.toMatchObject({ code });
    await peer.until(() => peer.socket.destroyed);
  });

  it("H04: a bad port fails, later, without a connection; allowBadPorts lifts it", async () => {
    const url = new URL("ws://127.0.0.1:6000/");
    await expect(open(url)).rejects.toMatchObject({ code: "ERR_SLUICE_BAD_PORT" });
    await expect(open(url, { allowBadPorts: true })).rejects.not.toMatchObject({ code: "ERR_SLUICE_BAD_PORT" });
    connect({ url, protocols: [], connection: {} }, NEVER).abort();
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  });

  it("H04: the list's edges", () => {
    expect([0, 1, 22, 25, 6665, 6666, 6667, 6668, 6669, 10080].every(isBadPort)).toBe(true);
    expect([80, 443, 8080, 2, 6670, 10081, 65535].some(isBadPort)).toBe(false);
  });

  it.each<[string, Partial<ConnectOptions>, typeof Error]>([
    ["a reserved header", { headers: { Upgrade: "h2c" } }, TypeError],
    ["a header with a line break", { headers: [["X", "a\r\nb"]] }, TypeError],
    ["an origin with a line break", { origin: "a\nb" }, TypeError],
    ["a timeout of 0", { handshakeTimeoutMs: 0 }, RangeError],
    ["a timeout beyond timers", { handshakeTimeoutMs: 2 ** 31 }, RangeError],
    ["a timeout that is no number", { handshakeTimeoutMs: Number.NaN }, RangeError],
    ["a window of 7 bits", { perMessageDeflate: { clientMaxWindowBits: 7 } }, RangeError],
    ["a level of 10", { perMessageDeflate: { level: 10 } }, RangeError],
  ])("throws at once for %s", (_name, options, expected) => {
    const url = new URL("ws://127.0.0.1:1/");
    expect(() => connect({ url, protocols: [], connection: {}, ...options }, NEVER)).toThrow(expected);
  });

  it("an agent for the other scheme is a failure, not an exception", async () => {
    const http = await import("node:http");
    const url = new URL("wss://127.0.0.1:12345/");
    await expect(open(url, { agent: new http.Agent() })).rejects.toMatchObject({ name: "HandshakeError" });
  });
});
