import { describe, expect, it, vi } from "vitest";
import type { WebSocketStream } from "../streams/websocket-stream.ts";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { createStream } from "../testing/pair.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { type BroadcastOptions, broadcast } from "./broadcast.ts";

interface Receiver {
  readonly stream: WebSocketStream;
  readonly peer: HostilePeer;
}

async function openReceivers(
  count: number,
): Promise<{ clock: VirtualClock; receivers: Receiver[]; streams: WebSocketStream[] }> {
  const clock = new VirtualClock();
  const receivers = Array.from({ length: count }, () => {
    const [transport, peerTransport] = MemoryTransport.pair(clock, { capacityBytes: 50_000 });
    const stream = createStream(transport, { role: "server", clock });
    return { stream, peer: new HostilePeer(peerTransport, "client") };
  });
  await clock.run();
  return { clock, receivers, streams: receivers.map(({ stream }) => stream) };
}

/** Fills what lies between the two, so that the receiver is slow. */
async function stall(clock: VirtualClock, { stream, peer }: Receiver): Promise<void> {
  peer.pause();
  const { writable } = await stream.opened;
  const writer = writable.getWriter();
  writer.write(new Uint8Array(150_000)).catch(() => {});
  writer.releaseLock();
  await clock.run();
}

/** The text messages, whole. */
function joinFragments(peer: HostilePeer): string[] {
  const messages: string[] = [];
  for (const { opcode, payload } of peer.frames) {
    const text = new TextDecoder().decode(payload);
    if (opcode === 1) messages.push(text);
    else if (opcode === 0) messages.push(messages.pop() + text);
  }
  return messages;
}

function texts(peer: HostilePeer): string[] {
  return peer.framesOf(1).map(({ payload }) => new TextDecoder().decode(payload));
}

describe("broadcast", () => {
  it.each<[string, string | BufferSource, number, number[]]>([
    ["a text", "é", 1, [0xc3, 0xa9]],
    ["bytes", Uint8Array.of(1, 2), 2, [1, 2]],
    ["a view's bytes", new DataView(Uint8Array.of(1, 2, 3).buffer, 1, 1), 2, [2]],
    ["an empty text", "", 1, []],
  ])("sends %s to all, as one legal frame each", async (_, message, opcode, payload) => {
    const { clock, receivers, streams } = await openReceivers(3);
    const result = broadcast(streams, message);
    await clock.run();
    expect(await result).toEqual({ sent: 3, missed: [] });
    for (const { peer } of receivers) {
      expect(peer.frames.map((frame) => [frame.opcode, frame.isFin, frame.isMasked, [...frame.payload]])).toEqual([
        [opcode, true, false, payload],
      ]);
    }
  });

  it("hands the broadcasts of a turn to the system together, in order with everything else", async () => {
    const clock = new VirtualClock();
    const [transport, peerTransport] = MemoryTransport.pair(clock);
    const write = vi.spyOn(transport, "write");
    const stream = createStream(transport, { role: "server", clock, options: { sendLimitBytes: 1_000_000 } });
    const peer = new HostilePeer(peerTransport, "client");
    await clock.run();
    const writer = (await stream.opened).writable.getWriter();
    await clock.run();
    const streams = [stream];
    const long = "x".repeat(20_000);
    const sent = [
      ...["1", "2", "3"].map((text) => broadcast(streams, text)),
      writer.write("4"),
      ...["5", long, "6"].map((text) => broadcast(streams, text)),
    ];
    await clock.run();
    await Promise.all(sent);
    expect(joinFragments(peer)).toEqual(["1", "2", "3", "4", "5", long, "6"]);
    expect(write.mock.calls.length).toBeLessThanOrEqual(4);
  });

  it("lets a loop of broadcasts that never waits for anything else leave the turn", async () => {
    const { streams } = await openReceivers(300);
    let hasLeft = false;
    setImmediate(() => {
      hasLeft = true;
    });
    const message = "x".repeat(16_000);
    for (let count = 0; count < 4; count++) {
      expect(hasLeft).toBe(false);
      expect((await broadcast(streams, message, { onSlow: "drop" })).sent).toBe(300);
    }
    expect(hasLeft).toBe(true);
  });

  it("keeps the order with what a stream itself writes, and copies the bytes at the call", async () => {
    const { clock, receivers, streams } = await openReceivers(2);
    const { writable } = await (streams[0] as WebSocketStream).opened;
    const writer = writable.getWriter();
    const bytes = Uint8Array.of(2);
    await writer.write(Uint8Array.of(1));
    broadcast(streams, bytes);
    bytes[0] = 9;
    await writer.write(Uint8Array.of(3));
    await clock.run();
    expect(receivers.map(({ peer }) => peer.frames.map(({ payload }) => payload[0]))).toEqual([[1, 2, 3], [2]]);
  });

  it("sends a message of several frames whole", async () => {
    const { clock, receivers, streams } = await openReceivers(2);
    const result = broadcast(streams, new Uint8Array(300_000).fill(7));
    await clock.run();
    expect(await result).toEqual({ sent: 2, missed: [] });
    for (const { peer } of receivers) {
      expect(peer.frames.map(({ opcode, isFin }) => [opcode, isFin])).toEqual([
        [2, false],
        [0, false],
        [0, true],
      ]);
      expect(peer.frames.reduce((sum, { payload }) => sum + payload.byteLength, 0)).toBe(300_000);
    }
  });

  it('"wait": the slow receiver gets everything, and the promise waits for it', async () => {
    const { clock, receivers, streams } = await openReceivers(2);
    const slow = receivers[0] as Receiver;
    await stall(clock, slow);
    let isSettled = false;
    const result = broadcast(streams, "m", { onSlow: "wait" });
    result.then(() => {
      isSettled = true;
    });
    await clock.run();
    expect(isSettled).toBe(false);
    expect(texts((receivers[1] as Receiver).peer)).toEqual(["m"]);
    slow.peer.resume();
    await clock.run();
    expect(await result).toEqual({ sent: 2, missed: [] });
    expect(texts(slow.peer)).toEqual(["m"]);
  });

  it('"drop": the slow receiver misses it, and the caller is told', async () => {
    const { clock, receivers, streams } = await openReceivers(2);
    const slow = receivers[0] as Receiver;
    await stall(clock, slow);
    expect(await broadcast(streams, "m", { onSlow: "drop" })).toEqual({
      sent: 1,
      missed: [{ stream: slow.stream, why: "slow" }],
    });
    slow.peer.resume();
    await clock.run();
    expect(texts(slow.peer)).toEqual([]);
    expect((await broadcast(streams, "n", { onSlow: "drop" })).sent).toBe(2);
  });

  it('"latest": only the newest reaches the slow receiver; the others are told that they were replaced', async () => {
    const { clock, receivers, streams } = await openReceivers(2);
    const slow = receivers[0] as Receiver;
    await stall(clock, slow);
    const results = ["a", "b", "c"].map((message) => broadcast(streams, message, { onSlow: "latest" }));
    await clock.run();
    const replaced = { sent: 1, missed: [{ stream: slow.stream, why: "replaced" }] };
    expect(await results[0]).toEqual(replaced);
    expect(await results[1]).toEqual(replaced);
    slow.peer.resume();
    await clock.run();
    expect(await results[2]).toEqual({ sent: 2, missed: [] });
    expect(texts(slow.peer)).toEqual(["c"]);
    expect(texts((receivers[1] as Receiver).peer)).toEqual(["a", "b", "c"]);
  });

  it('"close": the slow receiver is closed with 1013', async () => {
    const { clock, receivers, streams } = await openReceivers(2);
    const slow = receivers[0] as Receiver;
    await stall(clock, slow);
    expect((await broadcast(streams, "m", { onSlow: "close" })).missed).toEqual([{ stream: slow.stream, why: "slow" }]);
    slow.peer.resume();
    await clock.run();
    expect(slow.peer.closes).toEqual([[1013, "too slow"]]);
  });

  it.each<NonNullable<BroadcastOptions["onSlow"]>>(["wait", "latest"])(
    'a receiver that is lost while it waits under "%s" is told as closed',
    async (onSlow) => {
      const { clock, receivers, streams } = await openReceivers(2);
      const slow = receivers[0] as Receiver;
      await stall(clock, slow);
      const result = broadcast(streams, "m", { onSlow });
      await clock.run();
      slow.peer.destroy();
      await clock.advance(60_000);
      expect(await result).toEqual({ sent: 1, missed: [{ stream: slow.stream, why: "closed" }] });
    },
  );

  it("a stream that is not open is told as closed", async () => {
    const { clock, receivers, streams } = await openReceivers(2);
    const gone = receivers[0] as Receiver;
    gone.stream.close();
    await clock.run();
    expect(await broadcast(streams, "m")).toEqual({ sent: 1, missed: [{ stream: gone.stream, why: "closed" }] });
  });

  it("a message of another type is a TypeError", () => {
    expect(() => broadcast([], 1 as unknown as string)).toThrow(TypeError);
    expect(() => broadcast([], new Uint8Array(new SharedArrayBuffer(1)) as never)).toThrow(TypeError);
  });
});
