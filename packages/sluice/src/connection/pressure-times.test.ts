import { describe, expect, it } from "vitest";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { Connection, type ConnectionCounters, type ConnectionOptions } from "./connection.ts";

function open(options: Partial<ConnectionOptions> = {}, capacityBytes: number = 50_000) {
  const clock = new VirtualClock();
  const [transport, peerTransport] = MemoryTransport.pair(clock, { capacityBytes });
  const connection = new Connection(transport, {
    role: "server",
    clock,
    fillRandom: (target) => target.fill(1),
    keepAlive: false,
    ...options,
  });
  const received: unknown[] = [];
  connection.setDemand(true);
  connection.start({
    onMessage: (message) => {
      received.push(message);
      connection.setDemand(false);
    },
    onCloseStarted() {},
    onClosed() {},
  });
  return { clock, connection, peer: new HostilePeer(peerTransport, "client"), received };
}

function timesOf({ counters }: Connection): Record<string, number> {
  const { openMs, inputPausedMs, inputWaitingMs, outputIdleMs, outputNetworkMs, outputPeerMs } = counters;
  expect(inputPausedMs + inputWaitingMs).toBe(openMs);
  expect(outputIdleMs + outputNetworkMs + outputPeerMs).toBe(openMs);
  return { openMs, inputPausedMs, outputNetworkMs, outputPeerMs };
}

describe("pressure of the input", () => {
  it("is none while the reader waits for the peer", async () => {
    const { clock, connection } = open();
    await clock.advance(5_000);
    expect(timesOf(connection)).toEqual({ openMs: 5_000, inputPausedMs: 0, outputNetworkMs: 0, outputPeerMs: 0 });
  });

  it("counts from the message that nobody takes until somebody does, and again", async () => {
    const { clock, connection, peer, received } = open();
    await clock.advance(100);
    for (const text of ["a", "b", "c"]) peer.sendText(text);
    await clock.run();
    expect(received).toEqual(["a"]);
    await clock.advance(700);
    expect(timesOf(connection)).toMatchObject({ openMs: 800, inputPausedMs: 700 });
    connection.setDemand(true);
    await clock.advance(30);
    connection.setDemand(true);
    await clock.advance(1_000);
    expect(received).toEqual(["a", "b", "c"]);
    expect(timesOf(connection)).toMatchObject({ openMs: 1_830, inputPausedMs: 730 });
  });

  it("is none while one message is queued and no other has come", async () => {
    const { clock, connection, peer } = open();
    peer.sendText("only");
    await clock.advance(400);
    expect(timesOf(connection).inputPausedMs).toBe(0);
  });
});

describe("pressure of the output", () => {
  it("is none while a write does not have to wait, although the peer takes nothing", async () => {
    const { clock, connection, peer } = open();
    peer.pause();
    expect(connection.send(new Uint8Array(60_000))).toBeNull();
    await clock.advance(9_000);
    expect(timesOf(connection)).toMatchObject({ outputNetworkMs: 0, outputPeerMs: 0 });
  });

  it("is the network's for one second, then the peer's, until what waits is taken", async () => {
    const { clock, connection, peer } = open();
    peer.pause();
    await clock.advance(10);
    expect(connection.send(new Uint8Array(300_000))).not.toBeNull();
    await clock.advance(999);
    expect(timesOf(connection)).toMatchObject({ outputNetworkMs: 999, outputPeerMs: 0 });
    await clock.advance(4_001);
    expect(timesOf(connection)).toMatchObject({ outputNetworkMs: 1_000, outputPeerMs: 4_000 });
    peer.resume();
    await clock.run();
    await clock.advance(2_000);
    expect(peer.bytesReceived).toBeGreaterThan(300_000);
    expect(timesOf(connection)).toEqual({
      openMs: 7_010,
      inputPausedMs: 0,
      outputNetworkMs: 1_000,
      outputPeerMs: 4_000,
    });
  });

  it("is the network's as long as something is taken within each second", async () => {
    const clock = new VirtualClock();
    const [transport, slow] = MemoryTransport.pair(clock, { capacityBytes: 50_000, chunkLength: () => 20_000 });
    const connection = new Connection(transport, { role: "server", clock, fillRandom() {}, keepAlive: false });
    connection.start({ onMessage() {}, onCloseStarted() {}, onClosed() {} });
    // A chunk now and then.
    slow.start({ onData: () => slow.pause(), onAccepted() {}, onEnd() {}, onClose() {} });
    connection.send(new Uint8Array(300_000));
    for (let chunks = 0; chunks < 5; chunks++) {
      await clock.advance(900);
      slow.resume();
      await clock.run();
    }
    expect(timesOf(connection)).toMatchObject({ openMs: 4_500, outputNetworkMs: 4_500, outputPeerMs: 0 });
    await clock.advance(1_500);
    expect(timesOf(connection)).toMatchObject({ openMs: 6_000, outputNetworkMs: 5_500, outputPeerMs: 500 });
  });

  it("ends when the end of the turn brings the bytes to a system that takes them at once", async () => {
    const { clock, connection } = open({ sendLimitBytes: 10 });
    expect(connection.send(new Uint8Array(100))).not.toBeNull();
    await clock.run();
    await clock.advance(5_000);
    expect(timesOf(connection)).toMatchObject({ outputNetworkMs: 0, outputPeerMs: 0 });
  });

  it("does not count what the compressor takes its time for", async () => {
    const waiting: ((output: Uint8Array) => void)[] = [];
    const deflater = {
      shouldDeflate: () => true,
      deflate: () => new Promise<Uint8Array>((resolve) => waiting.push(resolve)),
      close() {},
    };
    const inflater = { inflate: () => new Uint8Array(), close() {} };
    const { clock, connection, peer } = open({
      deflate: { deflater, inflater } as unknown as NonNullable<ConnectionOptions["deflate"]>,
    });
    peer.pause();
    expect(connection.send("x".repeat(300_000))).not.toBeNull();
    await clock.advance(3_000);
    expect(timesOf(connection)).toMatchObject({ outputNetworkMs: 0, outputPeerMs: 0 });
    for (const resolve of waiting) resolve(new Uint8Array(200_000));
    await clock.run();
    await clock.advance(3_000);
    expect(timesOf(connection)).toMatchObject({ outputNetworkMs: 1_000, outputPeerMs: 2_000 });
  });
});

describe("the times of a connection that has ended", () => {
  it("stand still, also those of a pause and a block that lasted to the end", async () => {
    const { clock, connection, peer } = open();
    peer.pause();
    peer.sendText("a");
    peer.sendText("b");
    connection.send(new Uint8Array(300_000));
    await clock.advance(3_000);
    peer.destroy();
    await clock.run();
    connection.discard();
    await clock.run();
    const times = timesOf(connection);
    expect(times).toMatchObject({ inputPausedMs: 3_000, outputNetworkMs: 1_000, outputPeerMs: 2_000, openMs: 3_000 });
    await clock.advance(60_000);
    expect(timesOf(connection)).toEqual(times);
  });

  it("never go back, in steps of a third of a millisecond", async () => {
    const { clock, connection, peer } = open({ sendLimitBytes: 1_000 }, 8_000);
    let before: ConnectionCounters = connection.counters;
    for (let step = 0; step < 600; step++) {
      if (step % 7 === 0) connection.send(new Uint8Array(5_000));
      if (step % 11 === 0) peer.sendText("x");
      if (step % 30 === 0) connection.setDemand(true);
      if (step % 40 === 0) peer.pause();
      if (step % 40 === 30) peer.resume();
      await clock.advance(1 / 3);
      const { counters } = connection;
      for (const name of Object.keys(counters) as (keyof ConnectionCounters)[]) {
        expect(counters[name], name).toBeGreaterThanOrEqual(before[name]);
      }
      before = counters;
      timesOf(connection);
    }
    expect(before.outputNetworkMs).toBeGreaterThan(0);
    expect(before.inputPausedMs).toBeGreaterThan(0);
  });
});
