import { describe, expect, it } from "vitest";
import { Connection } from "../../packages/sluice/src/connection/connection.ts";
import { CreditCodec, type CreditCodecOptions } from "../../packages/sluice/src/flow-control/credit-codec.ts";
import { FlowConnection, type FlowConnectionOptions } from "../../packages/sluice/src/flow-control/flow-connection.ts";
import { fillRandom } from "../../packages/sluice/src/node/random.ts";
import { Established } from "../../packages/sluice/src/streams/established.ts";
import { WebSocketError } from "../../packages/sluice/src/streams/websocket-error.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { MemoryTransport } from "../../packages/sluice/src/testing/memory-transport.ts";
import { createStream } from "../../packages/sluice/src/testing/pair.ts";
import { VirtualClock } from "../../packages/sluice/src/testing/virtual-clock.ts";
import { outcomeOf, reasonOf } from "../support/harness.ts";

type Options = CreditCodecOptions & Omit<FlowConnectionOptions, "clock">;

function createCreditStream(
  transport: MemoryTransport,
  role: "client" | "server",
  clock: VirtualClock,
  options: Options,
) {
  const engine = new Connection(transport, { role, clock, fillRandom });
  const connection = new FlowConnection(engine, new CreditCodec(options), "credit", { clock, ...options });
  const info = { url: "ws://memory/", protocol: "", extensions: "", options: {} };
  return new WebSocketStream(new Established(connection as unknown as Connection, info) as unknown as string);
}

async function createCreditPair(client: Options = {}, server: Options = {}) {
  const clock = new VirtualClock();
  const [clientTransport, serverTransport] = MemoryTransport.pair(clock);
  const ends = {
    clock,
    serverTransport,
    client: createCreditStream(clientTransport, "client", clock, client),
    server: createCreditStream(serverTransport, "server", clock, server),
  };
  const [clientStreams, serverStreams] = await Promise.all([ends.client.opened, ends.server.opened]);
  await clock.run();
  return { ...ends, clientStreams, serverStreams };
}

/** One side speaks credit, the other sends what the test says. */
async function createPeer(options: Options = {}) {
  const clock = new VirtualClock();
  const [clientTransport, serverTransport] = MemoryTransport.pair(clock);
  const stream = createCreditStream(serverTransport, "server", clock, options);
  const peer = createStream(clientTransport, { role: "client", clock });
  const [streams, peerStreams] = await Promise.all([stream.opened, peer.opened]);
  await clock.run();
  return {
    clock,
    stream,
    streams,
    peer,
    writer: peerStreams.writable.getWriter(),
    reader: peerStreams.readable.getReader(),
  };
}

const WINDOW = { windowBytes: 65_536, maxWindowBytes: 65_536 };

describe("Streams with credit at both ends", () => {
  it("carry messages of all sizes both ways, also longer than the window", async () => {
    const { clock, clientStreams, serverStreams } = await createCreditPair(WINDOW, WINDOW);
    const piped = outcomeOf(serverStreams.readable.pipeTo(serverStreams.writable));
    const writer = clientStreams.writable.getWriter();
    const reader = clientStreams.readable.getReader();
    const messages = [
      "",
      "text",
      "\u0010C5",
      new Uint8Array(0),
      new Uint8Array(300_000).fill(7),
      "\u20ac".repeat(100_000),
    ];
    for (const message of messages) {
      const written = writer.write(message);
      const read = reader.read();
      await clock.run();
      await written;
      expect((await read).value).toEqual(message);
    }
    const closed = writer.close();
    await clock.run();
    await closed;
    expect((await piped).isFulfilled).toBe(false);
  });

  it("a reader that stops stops the writer at the window", async () => {
    const { clock, clientStreams, serverStreams } = await createCreditPair(WINDOW);
    const writer = serverStreams.writable.getWriter();
    let written = 0;
    const writing = (async () => {
      for (; written < 100; written++) await writer.write(new Uint8Array(10_000));
    })();
    await clock.run();
    // Six of cost 10,128 leave some credit, seven do not; what the queue of one returned is less than a grant.
    expect(written).toBe(7);
    const reader = clientStreams.readable.getReader();
    for (let i = 0; i < 100; i++) {
      const read = reader.read();
      await clock.run();
      expect((await read).done).toBe(false);
    }
    await writing;
    expect(written).toBe(100);
  });

  it("the time that a slow reader takes counts as its own pause, and at the writer as the peer's", async () => {
    const { clock, client, server, clientStreams, serverStreams } = await createCreditPair(WINDOW);
    await clock.advance(500);
    const writer = serverStreams.writable.getWriter();
    const writing = Promise.all(Array.from({ length: 10 }, () => writer.write(new Uint8Array(20_000))));
    await clock.advance(4_000);
    expect(client.metrics()).toMatchObject({ inputPausedMs: 4_000, inputWaitingMs: 500, outputIdleMs: 4_500 });
    expect(server.metrics()).toMatchObject({ inputPausedMs: 0, outputIdleMs: 500 });
    expect(server.metrics()).toMatchObject({ outputNetworkMs: 1_000, outputPeerMs: 3_000 });
    const reader = clientStreams.readable.getReader();
    for (let i = 0; i < 10; i++) {
      const read = reader.read();
      await clock.run();
      expect((await read).done).toBe(false);
    }
    await writing;
    await clock.advance(2_000);
    expect(client.metrics()).toMatchObject({ inputPausedMs: 4_000, openMs: 6_500 });
    expect(server.metrics()).toMatchObject({ outputNetworkMs: 1_000, outputPeerMs: 3_000, outputIdleMs: 2_500 });
  });

  it("write() waits for credit, and abort() gets out of it, in the middle of a message too", async () => {
    const { clock, server, client, clientStreams, serverStreams } = await createCreditPair(WINDOW);
    const writer = serverStreams.writable.getWriter();
    // The first fills the queue of one: nobody waits for the second.
    void writer.write("first");
    const written = outcomeOf(writer.write(new Uint8Array(1_000_000)));
    await clock.run();
    const reason = new WebSocketError("", { closeCode: 3001, reason: "enough" });
    const aborted = writer.abort(reason);
    await clock.run();
    await aborted;
    expect(await written).toEqual({ isFulfilled: false, reason });
    expect(await client.closed).toEqual({ closeCode: 3001, reason: "enough" });
    expect(await server.closed).toEqual({ closeCode: 3001, reason: "enough" });
    const reader = clientStreams.readable.getReader();
    expect((await reader.read()).value).toBe("first");
    expect((await reader.read()).done).toBe(true);
  });

  it("a Close behind unread messages: all of them are read before the end", async () => {
    const { clock, client, clientStreams, serverStreams } = await createCreditPair();
    const writer = serverStreams.writable.getWriter();
    for (let i = 0; i < 1000; i++) void writer.write(`${i}`);
    const closed = writer.close();
    await clock.run();
    const reader = clientStreams.readable.getReader();
    for (let i = 0; i < 1000; i++) {
      const read = reader.read();
      await clock.run();
      expect((await read).value).toBe(`${i}`);
    }
    expect((await reader.read()).done).toBe(true);
    await clock.run();
    await closed;
    expect(await client.closed).toEqual({ closeCode: 1005, reason: "" });
  });

  it("a write that waits for credit rejects with InvalidStateError when the peer's Close comes", async () => {
    const { clock, client, clientStreams, server } = await createCreditPair({}, WINDOW);
    const writer = clientStreams.writable.getWriter();
    // The first fills the queue of one: nobody waits for the second.
    void writer.write("first");
    const written = outcomeOf(writer.write(new Uint8Array(1_000_000)));
    await clock.run();
    server.close({ closeCode: 4000 });
    await clock.run();
    expect(await written).toMatchObject({ isFulfilled: false, reason: { name: "InvalidStateError" } });
    expect(await reasonOf(client.closed)).toMatchObject({ closeCode: 4000 });
    await reasonOf(writer.closed);
  });

  it("allowHalfOpen: writer.close() ends one direction, the other goes on", async () => {
    const { clock, client, server, clientStreams, serverStreams } = await createCreditPair({ allowHalfOpen: true });
    const writer = clientStreams.writable.getWriter();
    const closed = writer.close();
    await clock.run();
    expect((await serverStreams.readable.getReader().read()).done).toBe(true);
    const serverWriter = serverStreams.writable.getWriter();
    const written = serverWriter.write("still talking");
    const read = clientStreams.readable.getReader().read();
    await clock.run();
    await written;
    expect((await read).value).toBe("still talking");
    const serverClosed = serverWriter.close();
    await clock.run();
    await Promise.all([closed, serverClosed]);
    expect(await client.closed).toEqual({ closeCode: 1005, reason: "" });
    expect(await server.closed).toEqual({ closeCode: 1005, reason: "" });
  });

  it("close() gives up waiting for the other half", async () => {
    const { clock, client, clientStreams } = await createCreditPair({ allowHalfOpen: true });
    const closed = clientStreams.writable.getWriter().close();
    await clock.run();
    client.close();
    await clock.run();
    await closed;
    expect(await client.closed).toEqual({ closeCode: 1005, reason: "" });
  });

  it("a close that waits for a message without progress ends after closeTimeoutMs", async () => {
    const { clock, client, clientStreams } = await createCreditPair({ closeTimeoutMs: 5_000 }, WINDOW);
    const writer = clientStreams.writable.getWriter();
    // The first fills the queue of one: nobody waits for the second.
    void writer.write("first");
    const written = outcomeOf(writer.write(new Uint8Array(1_000_000)));
    await clock.run();
    client.close();
    await clock.advance(4_999);
    let isClosed = false;
    client.closed.catch(() => {
      isClosed = true;
    });
    await clock.run();
    expect(isClosed).toBe(false);
    await clock.advance(2);
    expect(await reasonOf(client.closed)).toMatchObject({ closeCode: 1006 });
    expect((await written).isFulfilled).toBe(false);
    await reasonOf(writer.closed);
  });

  it("a silent peer is lost after interval and timeout; one whose reader is stalled is not", async () => {
    const heartbeat = { intervalMs: 1_000, timeoutMs: 2_000 };
    const { clock, client, serverTransport, serverStreams } = await createCreditPair({ heartbeat });
    const writing = outcomeOf(serverStreams.writable.getWriter().write("unread"));
    await clock.advance(60_000);
    await writing;
    expect(client.flowControl).toBe("credit");
    serverTransport.pause();
    const closed = outcomeOf(client.closed);
    await clock.advance(10_000);
    expect(await closed).toMatchObject({ isFulfilled: false, reason: { closeCode: 1006 } });
  });
});

describe("A peer that breaks the protocol", () => {
  it.each([
    ["data without credit", [new Uint8Array(65_536), "x"]],
    ["a data message above 65,536 bytes", [new Uint8Array(65_537)]],
    ["an unknown record", ["\u0010X"]],
  ])("%s: closes with 4009", async (_, messages) => {
    const { clock, stream, peer, writer } = await createPeer({ windowBytes: 65_536 });
    // Nobody reads: the first message is handed to the readable's queue of one, which pays for it. So it is sent twice.
    for (const message of [messages[0], ...messages]) writer.write(message).catch(() => {});
    await clock.run();
    expect(await reasonOf(stream.closed)).toMatchObject({ closeCode: 1006 });
    expect(await outcomeOf(peer.closed)).toMatchObject({ value: { closeCode: 4009 } });
  });

  it("a flood of pings is answered without piling up answers for a peer that does not read", async () => {
    const { clock, stream, writer } = await createPeer();
    for (let i = 0; i < 20_000; i++) void writer.write(`\u0010P${i}`);
    await clock.run();
    expect(stream.metrics().heldBytesOut).toBeLessThan(200_000);
    expect(stream.flowControl).toBe("credit");
  });

  it("a message in pieces that is too long closes with 1009", async () => {
    const { clock, peer, writer } = await createPeer({ maxMessageBytes: 100 });
    for (const message of ["\u0010B", new Uint8Array(60), new Uint8Array(60)]) writer.write(message).catch(() => {});
    await clock.run();
    expect(await peer.closed).toMatchObject({ closeCode: 1009 });
  });
});
