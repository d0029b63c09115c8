import { describe, expect, it } from "vitest";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { createStream } from "../testing/pair.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { ReadableMessage } from "./message-source.ts";
import { MessageByteLengthStrategy } from "./strategies.ts";

/** Lets a peer send this frame so many times to a reader that does not read. @returns how many messages were taken */
async function flood(
  readableStrategy: QueuingStrategy<ReadableMessage>,
  frame: readonly number[],
  count: number,
): Promise<{ messagesReceived: number; isInputPaused: boolean }> {
  const clock = new VirtualClock();
  const [transport, peerTransport] = MemoryTransport.pair(clock, { capacityBytes: 1_048_576 });
  const stream = createStream(transport, { role: "client", clock, options: { keepAlive: false, readableStrategy } });
  const peer = new HostilePeer(peerTransport, "server");
  await stream.opened;
  peer.send(Array.from({ length: count }, () => frame).flat());
  await clock.run();
  return stream.metrics();
}

const EMPTY_BINARY = [0x82, 0x00];
const EMPTY_TEXT = [0x81, 0x00];
const ONE_BYTE = [0x82, 0x01, 0x61];

describe("a queue measured in bytes is bounded against messages that have few", () => {
  it.each([
    ["empty binary messages", EMPTY_BINARY],
    ["empty text messages", EMPTY_TEXT],
    ["messages of one byte", ONE_BYTE],
  ])("MessageByteLengthStrategy: %s count with what they take in memory", async (_, frame) => {
    const strategy = new MessageByteLengthStrategy({ highWaterMark: 65_536 });
    const { messagesReceived, isInputPaused } = await flood(strategy, frame, 10_000);
    // 256 bytes each.
    expect(messagesReceived).toBeLessThanOrEqual(256);
    expect(messagesReceived).toBeGreaterThan(200);
    expect(isInputPaused).toBe(true);
  });

  it("MessageByteLengthStrategy: its size() is the payload alone, as the writable side counts it", () => {
    const strategy = new MessageByteLengthStrategy({ highWaterMark: 1 });
    expect([strategy.size(""), strategy.size("é"), strategy.size(new Uint8Array(3))]).toEqual([0, 2, 3]);
  });

  it("a size of the user's that measures nothing ends at 65,536 messages", async () => {
    const strategy = { highWaterMark: 1, size: () => 0 };
    const { messagesReceived, isInputPaused } = await flood(strategy, EMPTY_BINARY, 70_000);
    expect(messagesReceived).toBe(65_536);
    expect(isInputPaused).toBe(true);
  });

  it("a mark in messages may be as high as the user likes", async () => {
    const { messagesReceived } = await flood({ highWaterMark: 69_000 }, EMPTY_BINARY, 70_000);
    expect(messagesReceived).toBe(69_000);
  });
});
