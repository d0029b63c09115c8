import { describe, expect, it } from "vitest";
import { OutputBlocks } from "../protocol/output-blocks.ts";
import type { PerMessageDeflateCodec } from "../protocol/permessage-deflate/codec.ts";
import { broadcast } from "../server/broadcast.ts";
import { Established } from "../streams/established.ts";
import type { ConnectionLimits } from "../streams/options.ts";
import { WebSocketError } from "../streams/websocket-error.ts";
import { WebSocketStream } from "../streams/websocket-stream.ts";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { ByteTransport, ByteTransportListener } from "./byte-transport.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";

async function open(options: Partial<ConnectionOptions> = {}, limits: ConnectionLimits = {}) {
  const clock = new VirtualClock();
  const [transport, peerTransport] = MemoryTransport.pair(clock);
  const connection = new Connection(transport, {
    role: "server",
    clock,
    fillRandom: () => {},
    keepAlive: false,
    ...options,
  });
  const info = { url: "ws://test/", protocol: "", extensions: "", options: limits };
  const stream = new WebSocketStream(new Established(connection, info) as never);
  const peer = new HostilePeer(peerTransport, "client");
  const { readable, writable } = await stream.opened;
  await clock.run();
  return { clock, connection, stream, peer, readable, writable };
}

/** A compressor that answers when the test says so. */
function createSlowCodec(): { codec: PerMessageDeflateCodec; finish: () => void } {
  const waiting: (() => void)[] = [];
  const codec: PerMessageDeflateCodec = {
    inflater: { inflate: () => new Uint8Array(0), heldBytes: 0, close: () => {} },
    deflater: {
      shouldDeflate: () => true,
      deflate: () => new Promise((resolve) => waiting.push(() => resolve(Uint8Array.of(0)))),
      heldBytes: 0,
      close: () => {},
    },
  };
  const finish = (): void => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  return { codec, finish };
}

describe("C10: the Close frame follows as soon as the messages in front of it are framed", () => {
  it.each(["current", "all"] as const)('"%s": behind a message that is compressed in a thread', async (flush) => {
    const { codec, finish } = createSlowCodec();
    const { clock, connection, peer } = await open({ deflate: codec });
    connection.send("compressed");
    connection.startClose(4000, "bye", flush);
    await clock.run();
    expect(peer.frames).toEqual([]);
    finish();
    await clock.run();
    expect(peer.frames.map(({ opcode, rsv }) => [opcode, rsv])).toEqual([
      [1, 4],
      [8, 0],
    ]);
    expect(peer.closes).toEqual([[4000, "bye"]]);
  });

  it("behind messages that wait for the end of the turn (sendLimitBytes 0)", async () => {
    const { clock, connection, peer } = await open({ sendLimitBytes: 0 });
    for (const text of ["a", "b", "c"]) connection.send(text);
    connection.startClose(4000, "", "all");
    await clock.run();
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([1, 1, 1, 8]);
  });
});

describe("promise 1: what is held", () => {
  it.each<[string, (peer: HostilePeer) => void]>([
    ["the peer closes", (peer) => peer.sendClose(1000)],
    ["the peer breaks a rule", (peer) => peer.sendFrame({ opcode: 3 })],
  ])("is nothing of a message that was given up while it was compressed, when %s", async (_, act) => {
    const { codec, finish } = createSlowCodec();
    const { clock, connection, peer } = await open({ deflate: codec });
    connection.send("compressed");
    expect(connection.heldBytes.out).toBe(10);
    act(peer);
    await clock.run();
    finish();
    await clock.run();
    expect(connection.heldBytes.out).toBe(0);
  });
});

describe("promise 3: everything settles when the engine fails or the peer closes", () => {
  it("a write() between the failure and its report rejects with the error of closed, and never throws", async () => {
    const { clock, stream, peer, writable, readable } = await open();
    const writer = writable.getWriter();
    await writer.write("starts the stream");
    await clock.run();
    const reading = readable.getReader().read();
    reading.catch(() => {});
    // The parse happens inside a task of the clock; the write comes before the task that reports the failure.
    let writing: Promise<void> | undefined;
    const { fail } = Connection.prototype;
    Connection.prototype.fail = function (this: Connection, ...args: Parameters<typeof fail>): void {
      fail.apply(this, args);
      writing = writer.write("in between");
      writing.catch(() => {});
    };
    try {
      peer.sendFrame({ opcode: 3 });
      await clock.run();
    } finally {
      Connection.prototype.fail = fail;
    }
    const reason = await stream.closed.catch((error: unknown) => error);
    expect(reason).toBeInstanceOf(WebSocketError);
    await expect(writing).rejects.toBe(reason);
    await expect(reading).rejects.toBe(reason);
    await expect(writer.closed).rejects.toBe(reason);
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([1, 8]);
  });

  it.each<[string, (peer: HostilePeer) => void]>([
    ["the peer closes", (peer) => peer.sendClose(1000)],
    ["the peer breaks a rule", (peer) => peer.sendFrame({ opcode: 3 })],
  ])("a broadcast that is queued when %s is told as closed", async (_, act) => {
    const { clock, stream, peer, writable } = await open();
    peer.pause();
    writable
      .getWriter()
      .write(new Uint8Array(400_000))
      .catch(() => {});
    await clock.run();
    const result = broadcast([stream], "queued");
    act(peer);
    await clock.advance(60_000);
    expect(await result).toEqual({ sent: 0, missed: [{ stream, why: "closed" }] });
  });
});

describe("blocks of output", () => {
  it.each([
    ["a block that the transport kept until it closed", false],
    ["a block that a broadcast was framed in", true],
  ])("%s serves other connections", async (_, isBroadcast) => {
    const clock = new VirtualClock();
    const kept: Uint8Array[] = [];
    let listener: ByteTransportListener | null = null;
    const transport: ByteTransport = {
      unsentBytes: 0,
      unreadBytes: 0,
      remoteAddress: "",
      start(given) {
        listener = given;
      },
      write: (bytes) => kept.push(bytes) === 0,
      pause: () => {},
      resume: () => {},
      end: () => {},
      destroy: () => {},
      setReferenced: () => {},
    };
    const options = { role: "server", clock, fillRandom: () => {}, keepAlive: false } as const;
    const connection = new Connection(transport, options);
    if (!isBroadcast) connection.start({ onMessage() {}, onCloseStarted() {}, onClosed() {} });
    const idle = new OutputBlocks();
    const block = idle.reserve(1);
    idle.clear();
    if (isBroadcast) {
      const info = { url: "ws://test/", protocol: "", extensions: "", options: {} };
      const stream = new WebSocketStream(new Established(connection, info) as never);
      await stream.opened;
      broadcast([stream], new Uint8Array(20_000)).catch(() => {});
      expect(kept[0]?.buffer).not.toBe(block.buffer);
    } else {
      connection.send(new Uint8Array(20_000));
      await clock.run();
      expect([kept[0]?.buffer, kept[0]?.byteOffset]).toEqual([block.buffer, block.byteOffset]);
      expect(idle.reserve(1).byteOffset).not.toBe(block.byteOffset);
      idle.clear();
    }
    (listener as ByteTransportListener | null)?.onClose(null);
    const next = idle.reserve(1);
    expect([next.buffer === block.buffer, next.byteOffset]).toEqual([true, block.byteOffset]);
  });
});
