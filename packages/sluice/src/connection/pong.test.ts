import { describe, expect, it } from "vitest";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { createStream } from "../testing/pair.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { encodeFrame } from "../testing/wire-frame.ts";

async function open(capacityBytes?: number) {
  const clock = new VirtualClock();
  const [transport, peerTransport] = MemoryTransport.pair(clock, { capacityBytes });
  const stream = createStream(transport, { role: "server", clock });
  const peer = new HostilePeer(peerTransport, "client");
  const { readable, writable } = await stream.opened;
  await clock.run();
  return { clock, stream, peer, readable, writable };
}

function pings(count: number, size: number = 4): Uint8Array {
  const frames = Array.from({ length: count }, (_, i) => {
    const payload = new Uint8Array(size);
    new DataView(payload.buffer).setUint32(0, i);
    return encodeFrame({ opcode: 9, payload }, true);
  });
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.byteLength, 0));
  let offset = 0;
  for (const frame of frames) {
    bytes.set(frame, offset);
    offset += frame.byteLength;
  }
  return bytes;
}

function numbers(peer: HostilePeer): number[] {
  return peer.framesOf(10).map(({ payload }) => new DataView(payload.buffer, payload.byteOffset).getUint32(0));
}

describe("RFC 6455 §5.5.2, §5.5.3 Ping and Pong", () => {
  it("answers each of ten Pings that come in one packet, in order", async () => {
    const { clock, peer } = await open();
    peer.send(pings(10));
    await clock.run();
    expect(numbers(peer)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("answers in front of messages that have not started, and between the frames of one that has (P03)", async () => {
    const { clock, peer, writable } = await open(200_000);
    const writer = writable.getWriter();
    peer.pause();
    const writing = writer.write(new Uint8Array(1_000_000));
    const queued = writer.write("queued");
    await clock.run();
    peer.send(pings(1));
    await clock.run();
    peer.resume();
    await clock.run();
    await Promise.all([writing, queued]);
    const opcodes = peer.frames.map((frame) => frame.opcode);
    expect(opcodes.indexOf(10)).toBeGreaterThan(0);
    expect(opcodes.indexOf(10)).toBeLessThan(opcodes.lastIndexOf(0));
    expect(opcodes.at(-1)).toBe(1);
  });

  it("a flood towards a peer that reads nothing holds a bounded number of bytes, and the newest is answered", async () => {
    const { clock, stream, peer } = await open(20_000);
    peer.pause();
    let largest = 0;
    for (let i = 0; i < 100; i++) {
      peer.send(pings(200, 125));
      await clock.run();
      largest = Math.max(largest, stream.metrics().heldBytesOut);
    }
    // The send limit, and the one Pong in its slot.
    expect(largest).toBeLessThanOrEqual(65_536 + 2 * 139);
    peer.sendFrame({ opcode: 9, payload: Uint8Array.of(0, 0, 255, 255) });
    await clock.run();
    peer.resume();
    await clock.run();
    expect(numbers(peer).at(-1)).toBe(65_535);
  });
});
