import { describe, expect, it } from "vitest";
import type { PerMessageDeflateCodec } from "../protocol/permessage-deflate/codec.ts";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { Connection, type ConnectionObserver } from "./connection.ts";

const KIB = 1_024;

/** An inflater that answers when the test says so. */
function createSlowCodec(): { deflate: PerMessageDeflateCodec; finish: () => void } {
  let finish: () => void = () => {};
  const deflate: PerMessageDeflateCodec = {
    inflater: {
      inflate: () =>
        new Promise((resolve) => {
          finish = () => resolve(new Uint8Array(3));
        }),
      heldBytes: 0,
      close: () => {},
    },
    deflater: { shouldDeflate: () => false, deflate: () => null, heldBytes: 0, close: () => {} },
  };
  return { deflate, finish: () => finish() };
}

async function open(deflate: PerMessageDeflateCodec | null) {
  const clock = new VirtualClock();
  const [transport, peerTransport] = MemoryTransport.pair(clock, { capacityBytes: 10_000_000 });
  const connection = new Connection(transport, {
    role: "client",
    clock,
    fillRandom: () => {},
    keepAlive: false,
    deflate,
  });
  const lengths: number[] = [];
  const observer: ConnectionObserver = {
    onMessage: (_, byteLength) => void lengths.push(byteLength),
    onCloseStarted: () => {},
    onClosed: () => {},
  };
  connection.setDemand(true);
  connection.start(observer, new Uint8Array(0));
  await clock.run();
  return { clock, connection, transport, lengths, peer: new HostilePeer(peerTransport, "server") };
}

describe("R6: the transport is paused exactly while", () => {
  it("an inflater holds the parser and more than 64 KiB wait behind it", async () => {
    const { deflate, finish } = createSlowCodec();
    const { clock, transport, peer, lengths } = await open(deflate);
    peer.sendFrame({ opcode: 2, rsv: 4, payload: "abc" });
    await clock.run();
    peer.sendBinary(new Uint8Array(64 * KIB - 10));
    await clock.run();
    expect(transport.isPaused).toBe(false);
    peer.sendBinary(new Uint8Array(10));
    await clock.run();
    expect(transport.isPaused).toBe(true);
    for (let i = 0; i < 50; i++) peer.sendBinary(new Uint8Array(20 * KIB));
    await clock.run();
    // At most the chunk that was being read comes on top; the rest stays where the system has it.
    expect(transport.incomingBytes).toBeGreaterThan(50 * 20 * KIB - 65_536);
    expect(lengths).toEqual([]);
    finish();
    await clock.run();
    expect(transport.isPaused).toBe(false);
    expect(lengths).toEqual([3, 64 * KIB - 10, 10, ...Array(50).fill(20 * KIB)]);
  });

  it("a message waits that nobody wants: not before its header, and no longer than that", async () => {
    const { clock, connection, transport, peer, lengths } = await open(null);
    connection.setDemand(false);
    await clock.run();
    peer.sendFrame({ opcode: 9, payload: "?" });
    await clock.run();
    expect(transport.isPaused).toBe(false);
    expect(peer.framesOf(10)).toHaveLength(1);
    peer.sendText("unwanted");
    await clock.run();
    expect(transport.isPaused).toBe(true);
    connection.setDemand(true);
    await clock.run();
    expect(transport.isPaused).toBe(false);
    expect(lengths).toEqual([8]);
  });
});
