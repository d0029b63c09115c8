import { WebSocketStream, type WebSocketStreamOptions } from "sluice";
import { type ServerWebSocketStream, serve, type WebSocketStreamServer } from "sluice/server";
import { afterAll, afterEach, describe, expect, it, onTestFailed } from "vitest";
import { createCertificate } from "../support/certificate.ts";
import { withResolvers } from "../support/with-resolvers.ts";
import { type EchoChannel, endingOf, openPlain } from "./echo-channel.ts";
import { type EchoServer, startEchoServer } from "./echo-server.ts";
import { COMPRESSIBLE_TEXT, createBytes, isSame, MULTI_BYTE_TEXT, SIZES } from "./payloads.ts";
import { proxies, type ReverseProxy, type RunningProxy } from "./proxies.ts";
import { startBeforeAll } from "./start-before-all.ts";

describe("Proxies", () => {
  for (const proxy of proxies) describe(`${proxy.name} ${proxy.version}`, () => defineCases(proxy));
});

/** More than all the buffers on the way together: four of the kernel's, and the proxy's. */
const PRESSURE_MESSAGES = 64;
const PRESSURE_MESSAGE_BYTES = 2 ** 20;

function defineCases(proxy: ReverseProxy): void {
  let certificate: Awaited<ReturnType<typeof createCertificate>>;
  let echoServer: EchoServer;
  let toEcho: RunningProxy;
  let channels: EchoChannel[] = [];

  startBeforeAll(async () => {
    certificate = await createCertificate();
    echoServer = await startEchoServer();
    toEcho = await proxy.start({ port: echoServer.tap.port, certificate });
  });
  afterEach(() => {
    for (const { stream } of channels) stream.close();
    channels = [];
  });
  afterAll(async () => {
    await toEcho?.stop();
    await echoServer?.close();
  });

  async function connect(caseName: string, to = toEcho, options: WebSocketStreamOptions = {}): Promise<EchoChannel> {
    onTestFailed(() => console.error(to.process.output));
    const stream = new WebSocketStream(`wss://localhost:${to.port}/?case=${encodeURIComponent(caseName)}`, {
      perMessageDeflate: false,
      tls: { ca: certificate.cert },
      ...options,
    });
    stream.closed.catch(() => {}); // the tests of endings look at it
    const channel = await openPlain(stream);
    channels.push(channel);
    return channel;
  }

  async function expectEcho(channel: EchoChannel, message: string | Uint8Array): Promise<void> {
    const [, received] = await Promise.all([channel.send(message), channel.receive()]);
    expect(isSame(received, message)).toBe(true);
  }

  describe("messages", () => {
    const cases: [string, string | Uint8Array][] = [
      ["text", "Hello"],
      ["multi-byte text", MULTI_BYTE_TEXT],
      ["empty text", ""],
      ["empty binary", new Uint8Array()],
    ];
    it.for(cases)("%s", async ([name, message]) => expectEcho(await connect(name), message));
    it.for(SIZES)("%i bytes", async (size) => expectEcho(await connect(`${size} bytes`), createBytes(size)));
  });

  describe("pings", () => {
    it("from the client", async () => {
      const channel = await connect("client pings", toEcho, { keepAlive: { intervalMs: 5, timeoutMs: 20_000 } });
      await channel.send("/await-ping");
      expect(await channel.receive()).toBe("ping seen");
    });
    it("from the server", async () => {
      const channel = await connect("pings: ours to them");
      await channel.send("/await-pong");
      expect(await channel.receive()).toBe("pong seen");
    });
  });

  describe("deflate", () => {
    it.for(["deflate: with context takeover", "deflate: without context takeover"])("%s", async (name) => {
      const channel = await connect(name, toEcho, { perMessageDeflate: true });
      for (let round = 0; round < 3; round++) await expectEcho(channel, COMPRESSIBLE_TEXT);
      expect((await channel.stream.opened).extensions).toContain("permessage-deflate");
      expect(echoServer.find(name)?.dataOf("client")[0].isCompressed).toBe(true);
    });
  });

  describe("close", () => {
    it("the client's, with code and reason", async () => {
      const channel = await connect("client with code");
      channel.stream.close({ closeCode: 4000, reason: "client ✓" });
      const ending = { isClean: true, closeCode: 4000, reason: "client ✓" };
      expect(await endingOf(channel.stream)).toEqual(ending);
      expect(await echoServer.endingOf("client with code")).toEqual(ending);
    });
    it("the client's, without code", async () => {
      const channel = await connect("client without code");
      channel.stream.close();
      const ending = { isClean: true, closeCode: 1005, reason: "" };
      expect(await endingOf(channel.stream)).toEqual(ending);
      expect(await echoServer.endingOf("client without code")).toEqual(ending);
    });
    it("the server's, with code and reason", async () => {
      const channel = await connect("server with code");
      await channel.send("/close 4001 server ✓");
      const ending = { isClean: true, closeCode: 4001, reason: "server ✓" };
      expect(await endingOf(channel.stream)).toEqual(ending);
      expect(await echoServer.endingOf("server with code")).toEqual(ending);
    });
    it("the server's, without code", async () => {
      const channel = await connect("server without code");
      await channel.send("/close");
      const ending = { isClean: true, closeCode: 1005, reason: "" };
      expect(await endingOf(channel.stream)).toEqual(ending);
      expect(await echoServer.endingOf("server without code")).toEqual(ending);
    });
    it.for(["terminate", "reset"])("the server's, abrupt: %s", async (command) => {
      const channel = await connect(`server abrupt ${command}`);
      await expectEcho(channel, "before");
      await channel.send(`/${command}`);
      expect(await endingOf(channel.stream)).toEqual({ isClean: false, closeCode: 1006 });
      expect(await echoServer.endingOf(`server abrupt ${command}`)).toEqual({ isClean: false, closeCode: 1006 });
    });
  });

  describe("pressure", () => {
    let server: WebSocketStreamServer;
    let toServer: RunningProxy;
    let accepted: ReturnType<typeof withResolvers<ServerWebSocketStream>>;

    startBeforeAll(async () => {
      // Without the tap, which is one more buffer.
      server = await serve({ port: 0, host: "127.0.0.1", origins: "*" }, (stream) => accepted.resolve(stream));
      toServer = await proxy.start({ port: (await server.listening).port, certificate });
    });
    afterAll(async () => {
      await toServer?.stop();
      await server?.close();
    });

    it("a server that does not read holds the client's writes, and loses nothing", async () => {
      accepted = withResolvers();
      const channel = await connect("upwards", toServer);
      await expectPressure(channel, await openPlain(await accepted.promise));
    });
    it("a client that does not read holds the server's writes, and loses nothing", async () => {
      accepted = withResolvers();
      const channel = await connect("downwards", toServer);
      await expectPressure(await openPlain(await accepted.promise), channel);
    });
  });
}

async function expectPressure(sender: EchoChannel, receiver: EchoChannel): Promise<void> {
  let written = 0;
  const writing = (async () => {
    for (let index = 0; index < PRESSURE_MESSAGES; index++) {
      const message = createBytes(PRESSURE_MESSAGE_BYTES);
      new DataView(message.buffer).setUint32(0, index);
      await sender.send(message);
      written++;
    }
  })();
  await untilSteady(() => written);
  // Writing without an end to it would be done by now: "steady" also comes after the last message.
  expect(written).toBeLessThan(PRESSURE_MESSAGES);
  for (let index = 0; index < PRESSURE_MESSAGES; index++) {
    const expected = createBytes(PRESSURE_MESSAGE_BYTES);
    new DataView(expected.buffer).setUint32(0, index);
    expect(isSame(await receiver.receive(), expected), `message ${index}`).toBe(true);
  }
  await writing;
}

/** Waits until a count stays as it is: the buffers on the way belong to the kernel and the proxy, and nothing tells when they are full. */
async function untilSteady(read: () => number): Promise<void> {
  let previous = -1;
  while (read() !== previous) {
    previous = read();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
