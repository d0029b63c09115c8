import net from "node:net";
import tls from "node:tls";
import { describe, expect, it } from "vitest";
import { sha1Base64 } from "../../packages/sluice/src/node/sha1-base64.ts";
import { secWebSocketAccept } from "../../packages/sluice/src/protocol/handshake/accept-key.ts";
import { WebSocketError } from "../../packages/sluice/src/streams/websocket-error.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { HostileServer } from "../../packages/sluice/src/testing/hostile-server.ts";
import { createCertificate } from "../support/certificate.ts";
import { listen } from "../support/listen.ts";
import { createRequest, RawClient } from "../support/raw-http.ts";
import { createScope } from "../support/scope.ts";
import { withResolvers } from "../support/with-resolvers.ts";
import { ManInTheMiddle } from "./man-in-the-middle.ts";
import { codeOf, expectClose, expectFailure, readAll, reasonOf } from "./outcome.ts";
import { createStage, type Meeting, ROLES, type Role, turn } from "./stage.ts";

const certificate = await createCertificate();
const stage = createStage({ tls: certificate, handshakeTimeoutMs: 400 });
const use = createScope();

/** Our side and its peer, who keep to the rules, with somebody between them who does not. */
async function meetBetween(role: Role): Promise<Meeting & { readonly between: ManInTheMiddle }> {
  if (role === "server") {
    const between = use(await ManInTheMiddle.stand(Number(new URL(stage.url).port)));
    const client = stage.expectClient();
    const url = new URL(client.url);
    url.port = String(between.port);
    const peer = await stage.connect({ url: url.href });
    return { ...(await stage.observe(await client.stream, peer)), between };
  }
  const hostile = use(await HostileServer.listen({ tls: certificate }));
  const between = use(await ManInTheMiddle.stand(Number(new URL(hostile.url).port)));
  const stream = new WebSocketStream(`wss://127.0.0.1:${between.port}/`, { tls: stage.tls });
  return { ...(await stage.observe(stream, await hostile.accept())), between };
}

/** What an attacker on the wire can do, without a key, to a connection behind its handshake; and what our side then says. */
const TAMPERING: readonly (readonly [
  name: string,
  code: RegExp,
  act: (between: ManInTheMiddle, role: Role) => void,
])[] = [
  ["FIN without close_notify", /^ERR_SLUICE_NO_CLOSE_FRAME$/, (between, role) => between.end(role)],
  ["RST", /^ECONNRESET$/, (between, role) => between.reset(role)],
  [
    "FIN in the header of a record",
    /^ERR_SLUICE_NO_CLOSE_FRAME$/,
    (between, role) => {
      between.send(role, Uint8Array.of(0x17, 0x03));
      between.end(role);
    },
  ],
  [
    "FIN in the middle of a record",
    /^ERR_SLUICE_NO_CLOSE_FRAME$/,
    (between, role) => {
      between.send(role, Uint8Array.of(0x17, 0x03, 0x03, 0x01, 0x00, 1, 2, 3));
      between.end(role);
    },
  ],
  [
    "a record of somebody without the key",
    /^ERR_SSL_/,
    (between, role) => between.send(role, Buffer.concat([Uint8Array.of(0x17, 0x03, 0x03, 0, 64), new Uint8Array(64)])),
  ],
  [
    "an alert that is not encrypted",
    /^ERR_SSL_/,
    (between, role) => between.send(role, Uint8Array.of(0x15, 0x03, 0x03, 0, 2, 1, 0)),
  ],
  [
    "a record that is too long",
    /^ERR_SSL_/,
    (between, role) => between.send(role, Uint8Array.of(0x17, 3, 3, 255, 255)),
  ],
  [
    "a WebSocket frame in clear",
    /^ERR_SSL_/,
    (between, role) => between.send(role, Buffer.from("\x81\x05Hello", "latin1")),
  ],
  [
    "HTTP in clear",
    /^ERR_SSL_/,
    (between, role) => between.send(role, Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")),
  ],
];

describe.each(ROLES)("TLS: somebody on the wire in front of our %s", (role) => {
  it.each(TAMPERING)("sends %s: what came before is delivered, then 1006 with %s", async (_, code, act) => {
    const meeting = await meetBetween(role);
    const { peer, between, stream } = meeting;
    const reading = readAll(meeting.readable);
    peer.sendText("in front");
    while (stream.metrics().messagesReceived === 0) await turn();
    act(between, role);
    await expectFailure(meeting, code);
    const { messages, error } = await reading;
    expect(messages).toEqual(["in front"]);
    expect(error).toBe(await reasonOf(stream.closed));
  });

  it("cuts a record in two: the half is not delivered, although its frame is whole", async () => {
    const meeting = await meetBetween(role);
    const { peer, between } = meeting;
    const reading = readAll(meeting.readable);
    between.filters[role] = (bytes) => {
      setImmediate(() => between.end(role));
      return bytes.subarray(0, -1);
    };
    peer.sendText("never whole");
    await expectFailure(meeting, "ERR_SLUICE_NO_CLOSE_FRAME");
    expect((await reading).messages).toEqual([]);
  });

  it.each([
    ["changes a bit of a message", (bytes: Buffer) => bytes.map((byte, index) => (index === 9 ? byte ^ 1 : byte))],
    ["drops a record", (bytes: Buffer) => bytes.subarray(0, 0)],
    ["repeats a record", (bytes: Buffer) => Buffer.concat([bytes, bytes])],
  ])("%s: nothing that was not sent is delivered", async (name, filter) => {
    const meeting = await meetBetween(role);
    const { peer, between } = meeting;
    const reading = readAll(meeting.readable);
    let isFirst = true;
    between.filters[role] = (bytes) => {
      const passed = isFirst ? filter(bytes) : bytes;
      isFirst = false;
      return passed;
    };
    peer.sendText("one");
    while (isFirst) await turn();
    peer.sendText("two");
    await expectFailure(meeting, /^ERR_SSL_/);
    expect((await reading).messages).toEqual(name.startsWith("repeats") ? ["one"] : []);
  });

  it("keeps the end of TCP back: the peer's close_notify is enough", async () => {
    const meeting = await meetBetween(role);
    const { peer, between } = meeting;
    const reading = readAll(meeting.readable);
    peer.sendText("in front");
    while (meeting.stream.metrics().messagesReceived === 0) await turn();
    between.passesEnd = false;
    peer.end();
    await expectFailure(meeting, "ERR_SLUICE_NO_CLOSE_FRAME");
    expect((await reading).messages).toEqual(["in front"]);
  });
});

describe.each(ROLES)("hostile peers of our %s over TLS are treated as those over TCP", (role) => {
  it("an illegal frame: 1002", async () => {
    const meeting = await stage.meet(role);
    meeting.peer.sendFrame({ opcode: 3 });
    await expectFailure(meeting, "ERR_SLUICE_RESERVED_OPCODE");
    await expectClose(meeting, 1002);
  });

  it("RST in the middle of a message: 1006", async () => {
    const meeting = await stage.meet(role);
    meeting.peer.sendFrame({ opcode: 1, isFin: false, payload: "a part" });
    while (meeting.stream.metrics().bytesReceived === 0) await turn();
    meeting.peer.reset();
    await expectFailure(meeting, /^(ECONNRESET|EPIPE)$/);
  });

  it("a flood that nobody reads: the bound holds", async () => {
    const meeting = await stage.meet(role);
    const flooding = meeting.peer.flood({ opcode: 2, payload: new Uint8Array(60_000) }, 1_000);
    while (!meeting.stream.metrics().isInputPaused) await turn();
    for (let quiet = 0; quiet < 50; quiet++) await turn();
    // One in the queue, one in assembly, and the reserve.
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(2 * 60_000 + 131_072);
    meeting.peer.destroy();
    expect(await flooding).toBeLessThan(1_000);
    await meeting.readable.cancel();
    await meeting.stream.closed.catch(() => {});
  });

  it("never reads: 1008 after stalledTimeoutMs", async () => {
    const keepAlive = { intervalMs: 100, timeoutMs: 100, stalledTimeoutMs: 200 };
    const meeting = await stage.meet(role, { keepAlive });
    meeting.peer.pause();
    const writer = meeting.writable.getWriter();
    const writing = reasonOf(writer.write(new Uint8Array(33_554_432)));
    await expectFailure(meeting, "ERR_SLUICE_PEER_STALLED");
    expect(codeOf(await writing)).toBe("ERR_SLUICE_PEER_STALLED");
    await writer.closed.catch(() => {});
  });
});

/** The beginning of what a real client says first. */
async function createHello(): Promise<Buffer> {
  let hello = Buffer.alloc(0);
  const server = use(
    net.createServer((socket) =>
      socket.on("data", (bytes) => {
        hello = bytes;
        socket.destroy();
      }),
    ),
  );
  const client = tls.connect({ port: await listen(server), host: "127.0.0.1" });
  await new Promise((resolve) => client.on("error", resolve));
  return hello;
}

describe("TLS: handshakes that our server does not finish", () => {
  const port = (): number => Number(new URL(stage.url).port);

  it.each([
    ["HTTP in clear", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n")],
    ["zeros", new Uint8Array(1_000)],
    ["a record of 65,535 bytes", Uint8Array.of(0x16, 0x03, 0x01, 0xff, 0xff, ...new Uint8Array(100))],
    ["an SSL 2 hello", Uint8Array.of(0x80, 0x2e, 0x01, 0x00, 0x02, 0x00, 0x15, 0x00, 0x00, 0x00, 0x10)],
    ["an alert", Uint8Array.of(0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x28)],
  ])("%s: the end, without a word of HTTP, and it is counted", async (_, bytes) => {
    const before = stage.server.metrics().tlsHandshakesFailed;
    const client = use(await RawClient.connect(port()));
    client.send(bytes);
    expect((await client.rest()).toString("latin1")).not.toContain("HTTP");
    client.destroy();
    while (stage.server.metrics().tlsHandshakesFailed < before + 1) await turn();
  });

  it("silence, half a hello, and a byte now and then: all are given up after handshakeTimeoutMs", async () => {
    const hello = await createHello();
    const before = stage.server.metrics().tlsHandshakesFailed;
    const clients = await Promise.all(Array.from({ length: 60 }, () => RawClient.connect(port())));
    let isOver = false;
    const dribbling = (async () => {
      for (let index = 0; !isOver; index++) {
        for (let each = 0; each < 20; each++) clients[each]?.send(hello.subarray(index, index + 1));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    for (let each = 20; each < 40; each++) clients[each]?.send(hello.subarray(0, 100));
    await Promise.all(clients.map((client) => client.rest()));
    isOver = true;
    await dribbling;
    for (const client of clients) client.destroy();
    while (stage.server.metrics().tlsHandshakesFailed < before + clients.length) await turn();
  });

  it.each(["RST", "FIN"])("200 that end by %s in the middle: nothing is left of them", async (ending) => {
    const hello = await createHello();
    for (let batch = 0; batch < 4; batch++) {
      const clients = await Promise.all(Array.from({ length: 50 }, () => RawClient.connect(port())));
      for (const [index, client] of clients.entries()) {
        client.send(hello.subarray(0, (index * 37) % hello.byteLength));
        if (ending === "FIN") client.socket.end();
      }
      await turn();
      for (const client of clients) ending === "RST" ? client.socket.resetAndDestroy() : client.destroy();
    }
  });

  it("a version of TLS that is too old", async () => {
    const client = tls.connect({
      port: port(),
      host: "127.0.0.1",
      ...stage.tls,
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
    });
    const error = await new Promise<Error>((resolve) => client.on("error", resolve));
    expect(error).toBeInstanceOf(Error);
    client.destroy();
  });

  it("a second handshake on a connection that has had one: refused, each time", async () => {
    const attempt = async (): Promise<unknown> => {
      const socket = tls.connect({ port: port(), host: "127.0.0.1", ...stage.tls, maxVersion: "TLSv1.2" });
      const client = use(new RawClient(socket));
      await new Promise((resolve) => socket.once("secureConnect", resolve));
      const target = stage.expectClient();
      client.send(createRequest({ line: `GET ${new URL(target.url).pathname} HTTP/1.1` }));
      expect((await client.response()).status).toBe(101);
      const outcome = await new Promise((resolve) => {
        socket.on("close", () => resolve("the end"));
        socket.renegotiate({ rejectUnauthorized: false }, resolve);
      });
      client.destroy();
      await reasonOf((await target.stream).closed);
      return outcome;
    };
    const outcomes = await Promise.all(Array.from({ length: 4 }, attempt));
    // Without an error it would have been made.
    expect(outcomes.filter((outcome) => outcome === null)).toEqual([]);
  });
});

describe("TLS: a second handshake that a server asks our client for", () => {
  it("is refused, and the connection ends", async () => {
    const asked = withResolvers<Error | null>();
    const server = tls.createServer({ ...certificate, maxVersion: "TLSv1.2" }, (socket) => {
      socket.on("error", asked.resolve);
      socket.once("data", (request: Buffer) => {
        const key = /^Sec-WebSocket-Key: (.+)\r$/im.exec(request.toString())?.[1] ?? "";
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${secWebSocketAccept(key, sha1Base64)}\r\n\r\n`,
        );
        socket.once("data", () => socket.renegotiate({ rejectUnauthorized: false }, asked.resolve));
      });
    });
    stage.onEnd(() => server.close());
    const stream = new WebSocketStream(`wss://127.0.0.1:${await listen(server)}/`, { tls: stage.tls });
    const { writable } = await stream.opened;
    await writable.getWriter().write("now ask");
    // Null would say that it was made.
    expect(await asked.promise).toBeInstanceOf(Error);
    expect(await reasonOf(stream.closed)).toBeInstanceOf(WebSocketError);
  });
});

describe("TLS: handshakes that our client does not finish", () => {
  /** A server that does this to each connection. */
  const serveRaw = async (onSocket: (socket: net.Socket) => void): Promise<string> => {
    const sockets = new Set<net.Socket>();
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      onSocket(socket);
    });
    stage.onEnd(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return `wss://127.0.0.1:${await listen(server)}/`;
  };

  const expectNoConnection = async (url: string, code: string, options: object = {}): Promise<void> => {
    const stream = new WebSocketStream(url, { tls: stage.tls, ...options });
    const error = await reasonOf(stream.opened);
    expect(error).toBeInstanceOf(WebSocketError);
    expect(codeOf(error)).toBe(code);
    expect(((await reasonOf(stream.closed)) as WebSocketError).closeCode).toBe(1006);
  };

  it.each([
    ["HTTP in clear", Buffer.from("HTTP/1.1 101 Switching Protocols\r\n\r\n")],
    ["zeros", new Uint8Array(1_000)],
    ["a record of 65,535 bytes", Uint8Array.of(0x16, 0x03, 0x03, 0xff, 0xff)],
    ["a fatal alert", Uint8Array.of(0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28)],
    [
      "a message of the handshake of 16 MiB",
      Uint8Array.of(0x16, 0x03, 0x03, 0x00, 0x08, 0x02, 0xff, 0xff, 0xff, 3, 3, 0, 0),
    ],
  ])("the server answers with %s: ERR_SLUICE_TLS_FAILED", async (_, bytes) => {
    const url = await serveRaw((socket) => socket.on("data", () => socket.write(bytes)));
    await expectNoConnection(url, "ERR_SLUICE_TLS_FAILED");
  });

  it.each([
    ["RST", (socket: net.Socket) => socket.resetAndDestroy()],
    ["FIN", (socket: net.Socket) => socket.end()],
  ])("the server ends by %s behind the client's hello: ERR_SLUICE_TLS_FAILED", async (_, end) => {
    const url = await serveRaw((socket) => socket.once("data", () => end(socket)));
    await expectNoConnection(url, "ERR_SLUICE_TLS_FAILED");
  });

  it("the server says nothing: the handshake's time runs out", async () => {
    const url = await serveRaw((socket) => socket.resume());
    await expectNoConnection(url, "ERR_SLUICE_HANDSHAKE_TIMEOUT", { handshakeTimeoutMs: 150 });
  });

  it.each([
    ["a certificate of nobody we know", {}, { tls: {} }],
    ["a certificate of another name", {}, { tls: { ca: certificate.cert, servername: "example.com" } }],
    ["an old version of TLS", { minVersion: "TLSv1", maxVersion: "TLSv1.1" }, {}],
  ] as const)("the server has %s: it gets no request", async (_, tlsOptions, options) => {
    const hostile = use(await HostileServer.listen({ tls: { ...certificate, ...tlsOptions } }));
    let requests = 0;
    void hostile.accept().then(() => requests++);
    await expectNoConnection(hostile.url, "ERR_SLUICE_TLS_FAILED", options);
    expect(requests).toBe(0);
  });
});
