import { WebSocket, WebSocketStream, type WebSocketStreamOptions } from "sluice";
import { afterAll, afterEach, describe, expect, it, onTestFailed } from "vitest";
import { type EchoChannel, endingOf, type Message, openPlain } from "./echo-channel.ts";
import {
  COMPRESSIBLE_TEXT,
  createBytes,
  describeMessage,
  FRAGMENT,
  isSame,
  MULTI_BYTE_TEXT,
  SIZES,
} from "./payloads.ts";
import { type RunningPeer, type ServerPeer, serverPeers } from "./server-peers.ts";
import { startBeforeAll } from "./start-before-all.ts";
import { WireTap } from "./wire-tap.ts";

describe("Peers as server", () => {
  for (const peer of serverPeers) describe(`${peer.name} ${peer.version}`, () => defineCases(peer));
});

function defineCases(peer: ServerPeer): void {
  let running: RunningPeer;
  let tap: WireTap;
  let channels: EchoChannel[] = [];

  startBeforeAll(async () => {
    running = await peer.start();
    tap = await WireTap.open(running.port);
  });
  afterEach(() => {
    for (const { stream } of channels) stream.close();
    channels = [];
  });
  afterAll(async () => {
    await tap?.close();
    await running?.stop();
  });

  async function connect(options: WebSocketStreamOptions = {}): Promise<EchoChannel> {
    onTestFailed(() => console.error(running.process.output));
    const stream = new WebSocketStream(`ws://127.0.0.1:${tap.port}/`, {
      perMessageDeflate: false,
      protocols: peer.protocols,
      ...options,
    });
    stream.closed.catch(() => {}); // the tests of endings look at it
    const channel = await peer.open(stream);
    channels.push(channel);
    return channel;
  }

  async function expectEcho(channel: EchoChannel, message: Message): Promise<void> {
    const [, received] = await Promise.all([channel.send(message), channel.receive()]);
    // A peer that carries bytes only gives text back as bytes.
    const isText = peer.carries.includes("text");
    const [actual, wanted] = isText ? [received, message] : [Buffer.from(received), Buffer.from(message)];
    expect(isSame(actual, wanted), `${describeMessage(received)} came for ${describeMessage(message)}`).toBe(true);
  }

  describe("messages", () => {
    const cases: [string, Message][] = [];
    if (peer.carries.includes("text")) {
      cases.push(["text", "Hello"], ["multi-byte text", MULTI_BYTE_TEXT], ["empty text", ""]);
    }
    if (peer.carries.includes("binary")) cases.push(["empty binary", new Uint8Array()]);
    it.for(cases)("%s", async ([, message]) => expectEcho(await connect(), message));
    it.for(SIZES.filter((byteLength) => byteLength <= (peer.maxBytes ?? byteLength)))(
      "%i bytes",
      async (byteLength) => {
        // A line-based peer gets as many bytes of text.
        const message = peer.carries.join() === "text" ? "x".repeat(byteLength) : createBytes(byteLength);
        await expectEcho(await connect(), message);
      },
    );
    it("100 in a row keep their order", async () => {
      const channel = await connect();
      const messages = Array.from({ length: 100 }, (_, index) => `Message ${index}`);
      const isText = peer.carries.includes("text");
      const sent = messages.map((text) => channel.send(isText ? text : Buffer.from(text)));
      for (const text of messages) expect(Buffer.from(await channel.receive()).toString()).toBe(text);
      await Promise.all(sent);
    });
  });

  // Bytes without boundaries go out in messages that are too small for it.
  if (!peer.carries.includes("bytes"))
    describe("fragments", () => {
      it("ours to them", async () => {
        // More than fits in one frame of ours, which is 128 KiB.
        const byteLength = peer.maxBytes ?? 2 ** 20;
        const message = peer.carries.join() === "text" ? "x".repeat(byteLength) : createBytes(byteLength);
        await expectEcho(await connect(), message);
        const frames = tap.last.dataOf("client");
        const fragments = frames.slice(frames.findIndex(({ isFin }) => !isFin));
        expect(fragments.length).toBeGreaterThan(1);
        expect(fragments.slice(1).every(({ opcode }) => opcode === 0x0)).toBe(true);
        expect(fragments.map(({ isFin }) => isFin).indexOf(true)).toBe(fragments.length - 1);
      });
      if (peer.commands.includes("fragments"))
        it("theirs to us", async () => {
          const channel = await connect();
          await channel.send("/fragments 5");
          expect(isSame(await channel.receive(), FRAGMENT.repeat(5))).toBe(true);
          const frames = tap.last.dataOf("server");
          expect(frames.length).toBeGreaterThan(1);
          expect(frames.map(({ isFin }) => isFin).indexOf(true)).toBe(frames.length - 1);
        });
    });

  describe("pings", () => {
    it("ours to them", async () => {
      const channel = await connect({ keepAlive: { intervalMs: 5, timeoutMs: 20_000 } });
      const ping = await tap.last.frame(({ from, opcode }) => from === "client" && opcode === 0x9);
      const pong = await tap.last.frame(({ from, opcode }) => from === "server" && opcode === 0xa);
      expect(pong.payload).toEqual(ping.payload);
      await expectEcho(channel, peer.carries.includes("text") ? "after" : Buffer.from("after"));
    });
    if (peer.commands.includes("ping"))
      it("theirs to us", async () => {
        const channel = await connect();
        await channel.send("/ping");
        const pong = await tap.last.frame(({ from, opcode }) => from === "client" && opcode === 0xa);
        expect(pong.payload.toString()).toBe("are you there");
        await expectEcho(channel, "after");
      });
  });

  describe("deflate", () => {
    const message = peer.carries.includes("text") ? COMPRESSIBLE_TEXT : Buffer.from(COMPRESSIBLE_TEXT);

    it("off", async () => {
      const channel = await connect({ perMessageDeflate: false });
      await expectEcho(channel, message);
      expect((await channel.stream.opened).extensions).toBe("");
      expect(tap.last.frames.some(({ isCompressed }) => isCompressed)).toBe(false);
    });
    if (!peer.deflate)
      it("offered to one without it", async () => {
        const channel = await connect({ perMessageDeflate: true });
        await expectEcho(channel, message);
        expect((await channel.stream.opened).extensions).toBe("");
        expect(tap.last.frames.some(({ isCompressed }) => isCompressed)).toBe(false);
      });
    const modes = [
      ["with context takeover", true],
      ["without context takeover", { clientNoContextTakeover: true, serverNoContextTakeover: true }],
    ] as const;
    if (peer.ignoresNoContextTakeover)
      it("asked to go without context takeover it does not say so: refused", async () => {
        const options = { serverNoContextTakeover: true };
        // RFC 7692 §7.1.1.1: "A server accepts [it] by including [it] in the corresponding […] response"
        await expect(connect({ perMessageDeflate: options })).rejects.toMatchObject({
          name: "WebSocketError",
          cause: { code: "ERR_SLUICE_HANDSHAKE_EXTENSIONS" },
        });
      });
    for (const [title, perMessageDeflate] of peer.deflate ? modes : []) {
      if (peer.ignoresNoContextTakeover && perMessageDeflate !== true) continue;
      it(title, async () => {
        const channel = await connect({ perMessageDeflate });
        for (let round = 0; round < 3; round++) await expectEcho(channel, message);
        await expectEcho(channel, peer.carries.includes("text") ? MULTI_BYTE_TEXT : createBytes(300_000));
        const { extensions } = await channel.stream.opened;
        expect(extensions).toContain("permessage-deflate");
        if (perMessageDeflate !== true) expect(extensions).toContain("server_no_context_takeover");
        for (const from of ["client", "server"] as const) {
          const compressed = tap.last.dataOf(from).filter(({ isCompressed }) => isCompressed);
          expect(compressed.length, `compressed frames from the ${from}`).toBeGreaterThan(1);
        }
      });
    }
  });

  if (peer.open === openPlain)
    describe("WebSocket class", () => {
      const open = async (): Promise<WebSocket> => {
        const socket = new WebSocket(`ws://127.0.0.1:${tap.port}/`);
        socket.binaryType = "arraybuffer";
        await eventOf(socket, "open");
        return socket;
      };
      it("echoes, with what compression there is", async () => {
        const socket = await open();
        const messages = peer.carries.includes("binary")
          ? ["Hello", createBytes(70_000), COMPRESSIBLE_TEXT]
          : ["Hello", COMPRESSIBLE_TEXT];
        for (const message of messages) {
          const received = eventOf(socket, "message");
          socket.send(message);
          const { data } = (await received) as MessageEvent<string | ArrayBuffer>;
          expect(isSame(typeof data === "string" ? data : new Uint8Array(data), message)).toBe(true);
        }
        const closed = eventOf(socket, "close");
        socket.close(4000, "ours ✓");
        expect(await closed).toMatchObject({ wasClean: true, code: tap.last.closeOf("server")?.closeCode });
        expect(tap.last.closeOf("client")).toEqual({ closeCode: 4000, reason: "ours ✓" });
      });
      if (peer.commands.includes("close"))
        it("tells the peer's code and reason", async () => {
          const socket = await open();
          const closed = eventOf(socket, "close");
          socket.send("/close 4001 theirs ✓");
          expect(await closed).toMatchObject({ wasClean: true, code: 4001, reason: "theirs ✓" });
        });
      if (peer.commands.includes("terminate"))
        it("tells an abrupt end", async () => {
          const socket = await open();
          const closed = eventOf(socket, "close");
          socket.send("/terminate");
          expect(await closed).toMatchObject({ wasClean: false, code: 1006, reason: "" });
        });
    });

  describe("close", () => {
    /** The peer's own Close frame is what `closed` must tell, to the letter (RFC 6455 §7.1.5, §7.1.6). */
    async function expectPeersClose(channel: EchoChannel): Promise<void> {
      const ending = await endingOf(channel.stream);
      expect(ending).toEqual({ isClean: true, ...tap.last.closeOf("server") });
    }

    it("ours with code and reason", async () => {
      const channel = await connect();
      channel.stream.close({ closeCode: 4000, reason: "ours ✓" });
      await expectPeersClose(channel);
      expect(tap.last.closeOf("client")).toEqual({ closeCode: 4000, reason: "ours ✓" });
    });
    it("ours without code", async () => {
      const channel = await connect();
      channel.stream.close();
      if (peer.answersWith1005) {
        // RFC 6455 §7.4.1: 1005 "MUST NOT be set as a status code in a Close control frame"
        expect(await endingOf(channel.stream)).toEqual({ isClean: false, closeCode: 1006 });
        const answer = await tap.last.frame(({ from, opcode }) => from === "server" && opcode === 0x8);
        expect(answer.payload).toEqual(Buffer.from([0x03, 0xed]));
      } else await expectPeersClose(channel);
      expect(tap.last.closeOf("client")).toEqual({ closeCode: 1005, reason: "" });
    });
    if (peer.commands.includes("close"))
      it("theirs with code and reason", async () => {
        const channel = await connect();
        await channel.send("/close 4001 theirs ✓");
        expect(await endingOf(channel.stream)).toEqual({ isClean: true, closeCode: 4001, reason: "theirs ✓" });
        expect(tap.last.closeOf("client")?.closeCode).toBe(4001);
      });
    if (peer.commands.includes("close"))
      it("theirs without code", async () => {
        const channel = await connect();
        await channel.send("/close");
        await expectPeersClose(channel);
      });
    for (const [command, title] of [
      ["terminate", "theirs abrupt, FIN"],
      ["reset", "theirs abrupt, RST"],
    ] as const) {
      if (peer.commands.includes(command))
        it(title, async () => {
          const channel = await connect();
          await expectEcho(channel, "before");
          await channel.send(`/${command}`);
          expect(await endingOf(channel.stream)).toEqual({ isClean: false, closeCode: 1006 });
          expect(tap.last.closeOf("server")).toBe(null);
        });
    }
    // The last one: nobody answers afterwards.
    it("theirs abrupt, the process is killed", async () => {
      const channel = await connect();
      await running.process.stop("SIGKILL");
      expect(await endingOf(channel.stream)).toEqual({ isClean: false, closeCode: 1006 });
    });
  });
}

function eventOf(target: EventTarget, type: string): Promise<Event> {
  return new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
}
