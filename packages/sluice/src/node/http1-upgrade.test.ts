import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import selfsigned from "selfsigned";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { HandshakeError } from "../protocol/handshake/handshake-error.ts";
import type { Upgraded, UpgradeOptions } from "./http1-upgrade.ts";
import { Http1Upgrade } from "./http1-upgrade.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
const START = "HTTP/1.1 101 Switching Protocols\r\n";
const SWITCH = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
const GOOD = `${START}${SWITCH}${ACCEPT}\r\n`;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

let certificate: { key: string; cert: string };
beforeAll(async () => {
  const made = await selfsigned.generate([{ name: "commonName", value: "localhost" }], {
    keySize: 2048,
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          { type: 7, ip: "127.0.0.1" },
        ],
      },
    ],
  });
  certificate = { key: made.private, cert: made.cert };
});

/** A server that knows no HTTP: `respond` gets the socket once the whole request head has come. */
async function serve(
  respond: (socket: net.Socket, head: string) => void,
  create: (onSocket: (socket: net.Socket) => void) => net.Server = (onSocket) => net.createServer(onSocket),
  host: string = "127.0.0.1",
): Promise<{ port: number; sockets: net.Socket[]; server: net.Server }> {
  const sockets: net.Socket[] = [];
  const server = create((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    let head = "";
    socket.on("data", (chunk: Buffer) => {
      const wasComplete = head.includes("\r\n\r\n");
      head += chunk.toString("latin1");
      if (!wasComplete && head.includes("\r\n\r\n")) respond(socket, head);
    });
  });
  server.listen(0, host);
  await once(server, "listening");
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as net.AddressInfo).port, sockets, server };
}

const serveTls = (respond: (socket: net.Socket, head: string) => void, options: tls.TlsOptions = {}) =>
  serve(respond, (onSocket) => {
    const server = tls.createServer({ ...certificate, ...options }, onSocket);
    server.on("tlsClientError", () => {});
    return server;
  });

type Outcome = { upgraded: Upgraded; error: null } | { upgraded: null; error: HandshakeError };

function start(url: string, options: Partial<UpgradeOptions>, settle: (outcome: Outcome) => void): Http1Upgrade {
  return new Http1Upgrade(
    {
      url: new URL(url),
      offer: { protocols: [], extensions: "", key: KEY },
      headers: { Host: new URL(url).host, Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Key": KEY },
      tls: {},
      agent: null,
      timeoutMs: null,
      ...options,
    },
    {
      onUpgraded(upgraded) {
        cleanups.push(() => upgraded.socket.destroy());
        upgraded.socket.on("error", () => {});
        settle({ upgraded, error: null });
      },
      onFailed: (error) => settle({ upgraded: null, error }),
    },
  );
}

function upgrade(url: string, options: Partial<UpgradeOptions> = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let isSettled = false;
    start(url, options, (outcome) => {
      if (isSettled) reject(new Error("told twice"));
      isSettled = true;
      // Whoever would be told twice is told so before the test goes on.
      setImmediate(() => setImmediate(() => resolve(outcome)));
    });
  });
}

async function failure(url: string, options: Partial<UpgradeOptions> = {}): Promise<HandshakeError> {
  const { error } = await upgrade(url, options);
  if (error === null) throw new Error("The upgrade succeeded");
  return error;
}

async function success(url: string, options: Partial<UpgradeOptions> = {}): Promise<Upgraded> {
  const { upgraded, error } = await upgrade(url, options);
  if (upgraded === null) throw error;
  return upgraded;
}

const peerClosed = async (socket: net.Socket): Promise<void> => {
  if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
};

describe("H05, H10: the request", () => {
  it("is one GET for path and query with the given fields, and nothing follows it", async () => {
    let request = "";
    const { port, sockets } = await serve((socket, head) => {
      request = head;
      socket.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    });
    await failure(`ws://127.0.0.1:${port}/a%20b/c?d=e&f`);
    await peerClosed(sockets[0] as net.Socket);
    expect(request).toBe(
      `GET /a%20b/c?d=e&f HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Key: ${KEY}\r\n\r\n`,
    );
  });

  it("H01: an empty path is /", async () => {
    let request = "";
    const { port } = await serve((socket, head) => {
      request = head;
      socket.write(GOOD);
    });
    await success(`ws://127.0.0.1:${port}?`);
    expect(request.startsWith("GET / HTTP/1.1\r\n")).toBe(true);
  });

  it("reaches an IPv6 literal, without the brackets of the URL", async () => {
    const { port } = await serve((socket) => socket.write(GOOD));
    let host: unknown;
    class Redirecting extends http.Agent {
      override createConnection(options: { host?: unknown }): net.Socket {
        host = options.host;
        return net.connect(port, "127.0.0.1");
      }
    }
    await success(`ws://[::1]:${port}/`, { agent: new Redirecting() });
    expect(host).toBe("::1");
  });
});

describe("H31: the upgrade", () => {
  it("hands over the socket and a copy of the bytes behind the head", async () => {
    const { port, sockets } = await serve((socket) => socket.write(`${GOOD}\u0081\u0001a`, "latin1"));
    const { socket, head, protocol, extensions, deflate } = await success(`ws://127.0.0.1:${port}/`);
    expect(Buffer.from(head).toString("hex")).toBe("810161");
    expect(head.constructor).toBe(Uint8Array);
    expect(head.buffer.byteLength).toBe(3);
    expect([protocol, extensions, deflate]).toEqual(["", "", null]);
    socket.write("ping");
    expect(String((await once(sockets[0] as net.Socket, "data"))[0])).toBe("ping");
    (sockets[0] as net.Socket).write("pong");
    expect(String((await once(socket, "data"))[0])).toBe("pong");
  });

  it("works when the head comes byte by byte, with a frame right behind it", async () => {
    const { port } = await serve(async (socket) => {
      for (const byte of Buffer.from(`${GOOD}\u0081\u0001a`, "latin1")) {
        await new Promise<void>((resolve) => socket.write(Buffer.of(byte), () => setImmediate(resolve)));
      }
    });
    const { socket, head } = await success(`ws://127.0.0.1:${port}/`);
    const bytes = [...head];
    socket.on("data", (chunk: Buffer) => bytes.push(...chunk));
    while (bytes.length < 3) await once(socket, "data");
    expect(bytes).toEqual([0x81, 0x01, 0x61]);
  });

  it("skips informational responses in front", async () => {
    const { port } = await serve((socket) => {
      socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${GOOD}`);
    });
    await success(`ws://127.0.0.1:${port}/`);
  });

  it("hands over a socket that its peer has already ended", async () => {
    const { port } = await serve((socket) => socket.end(GOOD));
    const { socket } = await success(`ws://127.0.0.1:${port}/`);
    socket.resume();
    if (!socket.readableEnded) await once(socket, "end");
    expect(socket.errored).toBe(null);
  });

  it("goes through an agent of the caller, on a socket that the agent gives up", async () => {
    const { port } = await serve((socket) => socket.write(GOOD));
    const agent = new http.Agent({ keepAlive: true });
    cleanups.push(() => agent.destroy());
    await success(`ws://127.0.0.1:${port}/`, { agent });
    expect(Object.keys(agent.sockets)).toEqual([]);
    expect(Object.keys(agent.freeSockets)).toEqual([]);
  });
});

describe("H11-H16: a bad response fails and destroys the connection", () => {
  it.each([
    ["another Upgrade", `${START}Upgrade: h2c\r\nConnection: Upgrade\r\n${ACCEPT}\r\n`, "UPGRADE"],
    ["no Upgrade", `${START}Connection: Upgrade\r\n${ACCEPT}\r\n`, "UPGRADE"],
    ["Upgrade twice", `${START}Upgrade: websocket\r\n${SWITCH}${ACCEPT}\r\n`, "UPGRADE"],
    ["no Connection", `${START}Upgrade: websocket\r\n${ACCEPT}\r\n`, "CONNECTION"],
    ["HTTP/1.0", `${GOOD.replace("1.1", "1.0")}`, "VERSION"],
    ["no accept", `${START}${SWITCH}\r\n`, "ACCEPT"],
    ["a wrong accept", `${START}${SWITCH}${ACCEPT.replace("s3p", "s3q")}\r\n`, "ACCEPT"],
    ["accept twice", `${START}${SWITCH}${ACCEPT}${ACCEPT}\r\n`, "ACCEPT"],
    ["accept twice, far apart", `${START}${ACCEPT}${"a:\r\n".repeat(3000)}${SWITCH}${ACCEPT}\r\n`, "ACCEPT"],
    ["an unasked protocol", `${START}${SWITCH}${ACCEPT}Sec-WebSocket-Protocol: chat\r\n\r\n`, "PROTOCOL"],
    [
      "an unasked extension",
      `${START}${SWITCH}${ACCEPT}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n`,
      "EXTENSIONS",
    ],
  ])("%s, with bytes behind that are never looked at", async (_name, response, code) => {
    const { port, sockets } = await serve((socket) => socket.write(`${response}\u00ff\u00ff`, "latin1"));
    const error = await failure(`ws://127.0.0.1:${port}/`);
    expect(error.code).toBe(`ERR_SLUICE_HANDSHAKE_${code}`);
    expect(error.statusCode).toBe(101);
    expect(error.headers).toBeInstanceOf(Headers);
    await peerClosed(sockets[0] as net.Socket);
  });

  it("H16: an offered protocol that is not selected fails", async () => {
    const { port, sockets } = await serve((socket) => socket.write(GOOD));
    const error = await failure(`ws://127.0.0.1:${port}/`, {
      offer: { protocols: ["chat"], extensions: "", key: KEY },
    });
    expect(error.code).toBe("ERR_SLUICE_HANDSHAKE_PROTOCOL");
    await peerClosed(sockets[0] as net.Socket);
  });

  it("H11: another status fails with status, fields and body", async () => {
    const { port, sockets } = await serve((socket) => {
      socket.write("HTTP/1.1 403 Forbidden\r\nX-Why: origin\r\nContent-Length: 9\r\n\r\nnot here\u00e9", "latin1");
    });
    const error = await failure(`ws://127.0.0.1:${port}/`);
    expect(error.code).toBe("ERR_SLUICE_HANDSHAKE_STATUS");
    expect(error.statusCode).toBe(403);
    expect(error.headers?.get("x-why")).toBe("origin");
    expect(error.body).toBe("not here");
    await peerClosed(sockets[0] as net.Socket);
  });

  it("keeps at most 4 KiB of the body and does not wait for more", async () => {
    const { port, sockets } = await serve((socket) => {
      socket.write(`HTTP/1.1 500 Oops\r\nContent-Length: 10000000\r\n\r\n${"x".repeat(50_000)}`);
    });
    const error = await failure(`ws://127.0.0.1:${port}/`);
    expect(error.body).toBe("x".repeat(4096));
    await peerClosed(sockets[0] as net.Socket);
  });

  it("fails with the status when the body never comes, is cut, or is not there", async () => {
    const head = "HTTP/1.1 500 Oops\r\nContent-Length: 10\r\n\r\n";
    const never = await serve((socket) => socket.write(`${head}abc`));
    const cut = await serve((socket) => socket.write(`${head}abc`, () => setImmediate(() => socket.resetAndDestroy())));
    const none = await serve((socket) => socket.end("HTTP/1.1 204 No Content\r\n\r\n"));
    const errors = await Promise.all([never, cut, none].map(({ port }) => failure(`ws://127.0.0.1:${port}/`)));
    expect(errors.map(({ code }) => code)).toEqual(Array(3).fill("ERR_SLUICE_HANDSHAKE_STATUS"));
    expect(errors.map(({ statusCode }) => statusCode)).toEqual([500, 500, 204]);
    expect([errors[0]?.body, errors[2]?.body]).toEqual(["abc", null]);
  });

  it.each([
    [302, /redirects are not followed/],
    [401, /not repeated/],
  ])("H11: %i is not followed", async (status, text) => {
    let requests = 0;
    const { port } = await serve((socket) => {
      requests++;
      socket.end(`HTTP/1.1 ${status} X\r\nLocation: /x\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n`);
    });
    const error = await failure(`ws://127.0.0.1:${port}/`);
    expect(error.message).toMatch(text);
    expect(requests).toBe(1);
  });

  it.each([
    ["garbage", "\u0081\u0005Hello"],
    ["HTTP/2", "\u0000\u0000\u0012\u0004\u0000\u0000\u0000\u0000\u0000"],
    ["a head that is too long", `${START}X: ${"x".repeat(100_000)}\r\n\r\n`],
    ["a field without a colon", `${START}${SWITCH}${ACCEPT}oops\r\n\r\n`],
  ])("H17: %s is no HTTP", async (_name, response) => {
    const { port, sockets } = await serve((socket) => socket.write(response, "latin1"));
    const error = await failure(`ws://127.0.0.1:${port}/`);
    expect(error.code).toBe("ERR_SLUICE_HANDSHAKE_SYNTAX");
    expect((error.cause as NodeJS.ErrnoException).code).toMatch(/^HPE_/);
    await peerClosed(sockets[0] as net.Socket);
  });
});

describe("the connection fails", () => {
  it("nobody listens: ERR_SLUICE_CONNECT_FAILED with the system's error as cause", async () => {
    const { port, server } = await serve(() => {});
    server.close();
    await once(server, "close");
    const error = await failure(`ws://127.0.0.1:${port}/`);
    expect(error.code).toBe("ERR_SLUICE_CONNECT_FAILED");
    expect(error.cause).toMatchObject({ code: "ECONNREFUSED" });
    const named = await failure(`ws://user:secret@localhost:${port}/`);
    expect(named.code).toBe("ERR_SLUICE_CONNECT_FAILED");
    expect(named.message).toContain("ECONNREFUSED");
    expect(named.message).not.toContain("secret");
  });

  it.each<[string, (socket: net.Socket) => void]>([
    ["ends before the response", (socket) => socket.end()],
    ["resets before the response", (socket) => socket.resetAndDestroy()],
    ["ends inside the response", (socket) => socket.end(START + SWITCH)],
    ["resets inside the response", (socket) => socket.write(START, () => setImmediate(() => socket.resetAndDestroy()))],
  ])("server %s: ERR_SLUICE_HANDSHAKE_CUT", async (_name, respond) => {
    const { port } = await serve(respond);
    expect((await failure(`ws://127.0.0.1:${port}/`)).code).toBe("ERR_SLUICE_HANDSHAKE_CUT");
  });

  it("server resets at once", async () => {
    const { port, server } = await serve(() => {});
    server.removeAllListeners("connection");
    server.on("connection", (socket) => socket.resetAndDestroy());
    expect((await failure(`ws://127.0.0.1:${port}/`)).code).toMatch(/^ERR_SLUICE_(HANDSHAKE_CUT|CONNECT_FAILED)$/);
  });

  it("H17: a head that drips in too slowly ends with ERR_SLUICE_HANDSHAKE_TIMEOUT", async () => {
    const { port, sockets } = await serve((socket) => {
      socket.write(START);
      const drip = setInterval(() => socket.write("X-A: b\r\n"), 5);
      socket.on("close", () => clearInterval(drip));
    });
    const error = await failure(`ws://127.0.0.1:${port}/`, { timeoutMs: 60 });
    expect(error.code).toBe("ERR_SLUICE_HANDSHAKE_TIMEOUT");
    await peerClosed(sockets[0] as net.Socket);
  });
});

describe("H03: TLS", () => {
  it("verifies the certificate against the name, and speaks http/1.1 with the server's name", async () => {
    let seen: [unknown, unknown] | null = null;
    const { port } = await serveTls(
      (socket) => {
        const { servername, alpnProtocol } = socket as tls.TLSSocket & { servername?: unknown };
        seen = [servername, alpnProtocol];
        socket.write(GOOD);
      },
      { ALPNProtocols: ["h2", "http/1.1"] },
    );
    const { socket } = await success(`wss://localhost:${port}/`, {
      tls: { ca: certificate.cert, servername: undefined, ALPNProtocols: ["h2"] },
    });
    expect((socket as tls.TLSSocket).authorized).toBe(true);
    expect(seen).toEqual(["localhost", "http/1.1"]);
  });

  it("sends no name for an IP literal, but checks the certificate against it", async () => {
    let servername: unknown;
    const { port } = await serveTls((socket) => {
      servername = (socket as unknown as { servername: unknown }).servername;
      socket.write(GOOD);
    });
    await success(`wss://127.0.0.1:${port}/`, { tls: { ca: certificate.cert } });
    expect(servername).toBe(false);
  });

  it.each<[string, (port: number) => [string, Partial<UpgradeOptions>]]>([
    ["an unknown issuer", (port) => [`wss://localhost:${port}/`, {}]],
    [
      "another name",
      (port) => [`wss://localhost:${port}/`, { tls: { ca: certificate.cert, servername: "other.example" } }],
    ],
    ["a certificate of our own that is none", (port) => [`wss://localhost:${port}/`, { tls: { cert: "nonsense" } }]],
    ["a trusted one that is none", (port) => [`wss://localhost:${port}/`, { tls: { ca: 5 as unknown as string } }]],
  ])("%s: ERR_SLUICE_TLS_FAILED, and no request is sent", async (_name, target) => {
    let requests = 0;
    const { port } = await serveTls(() => requests++);
    const error = await failure(...target(port));
    expect(error.code).toBe("ERR_SLUICE_TLS_FAILED");
    expect(error.cause).toBeInstanceOf(Error);
    expect(requests).toBe(0);
  });

  it("rejectUnauthorized: false goes through the tls option", async () => {
    const { port } = await serveTls((socket) => socket.write(GOOD));
    await success(`wss://localhost:${port}/`, { tls: { rejectUnauthorized: false } });
  });

  it("a server that wants a certificate and gets none: ERR_SLUICE_TLS_FAILED", async () => {
    const { port } = await serveTls(() => {}, { requestCert: true, rejectUnauthorized: true, ca: certificate.cert });
    const error = await failure(`wss://localhost:${port}/`, { tls: { ca: certificate.cert } });
    expect(["ERR_SLUICE_TLS_FAILED", "ERR_SLUICE_HANDSHAKE_CUT"]).toContain(error.code);
  });

  it("a server without TLS: ERR_SLUICE_TLS_FAILED", async () => {
    const { port, server } = await serve(() => {});
    server.on("connection", (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect((await failure(`wss://127.0.0.1:${port}/`)).code).toBe("ERR_SLUICE_TLS_FAILED");
  });
});

describe("abort()", () => {
  async function expectSilence(run: (told: Outcome[]) => Promise<void>): Promise<void> {
    const told: Outcome[] = [];
    await run(told);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([]);
  }

  it("at once: nobody is told", async () => {
    const { port } = await serve((socket) => socket.write(GOOD));
    await expectSilence(async (told) => {
      const attempt = start(`ws://localhost:${port}/`, {}, (outcome) => told.push(outcome));
      attempt.abort();
      attempt.abort();
    });
  });

  it("when connected: the server sees the end", async () => {
    let attempt: Http1Upgrade | null = null;
    const { port, sockets } = await serve(() => attempt?.abort());
    await expectSilence(async (told) => {
      attempt = start(`ws://127.0.0.1:${port}/`, { timeoutMs: 60_000 }, (outcome) => told.push(outcome));
      while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
      await peerClosed(sockets[0] as net.Socket);
    });
  });

  it("inside the head, and inside the body of a refusal", async () => {
    for (const response of [START, "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nabc"]) {
      let attempt: Http1Upgrade | null = null;
      const { port, sockets } = await serve((socket) => {
        socket.write(response, () => setTimeout(() => attempt?.abort(), 10));
      });
      await expectSilence(async (told) => {
        attempt = start(`ws://127.0.0.1:${port}/`, {}, (outcome) => told.push(outcome));
        while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
        await peerClosed(sockets[0] as net.Socket);
      });
    }
  });

  it("during the TLS handshake, and after options that TLS refuses", async () => {
    const { port, sockets } = await serve(() => {});
    await expectSilence(async (told) => {
      const attempt = start(`wss://127.0.0.1:${port}/`, {}, (outcome) => told.push(outcome));
      while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
      attempt.abort();
      await peerClosed(sockets[0] as net.Socket);
    });
    await expectSilence(async (told) => {
      start(`wss://127.0.0.1:${port}/`, { tls: { cert: "nonsense" } }, (outcome) => told.push(outcome)).abort();
    });
  });

  it("of an attempt that waits in the caller's agent", async () => {
    const { port } = await serve(() => {});
    const agent = new http.Agent({ maxSockets: 1 });
    cleanups.push(() => agent.destroy());
    const sockets: Duplex[] = [];
    agent.on("free", (socket) => sockets.push(socket));
    await expectSilence(async (told) => {
      const first = start(`ws://127.0.0.1:${port}/`, { agent }, (outcome) => told.push(outcome));
      const second = start(`ws://127.0.0.1:${port}/`, { agent }, (outcome) => told.push(outcome));
      second.abort();
      first.abort();
    });
  });
});
