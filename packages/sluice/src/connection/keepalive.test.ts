import { describe, expect, it } from "vitest";
import type { WebSocketError } from "../streams/websocket-error.ts";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { createPair, createStream } from "../testing/pair.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { KeepaliveOptions } from "./keepalive.ts";

const TEN_SECONDS: KeepaliveOptions = { intervalMs: 10_000, timeoutMs: 10_000 };

async function openWithPeer(keepAlive: KeepaliveOptions | false | "default" = TEN_SECONDS) {
  const clock = new VirtualClock();
  const [transport, peerTransport] = MemoryTransport.pair(clock);
  const stream = createStream(transport, {
    role: "server",
    clock,
    options: keepAlive === "default" ? {} : { keepAlive },
  });
  const peer = new HostilePeer(peerTransport, "client");
  const { readable, writable } = await stream.opened;
  let error: WebSocketError | null = null;
  stream.closed.catch((reason) => {
    error = reason;
  });
  await clock.run();
  return {
    clock,
    stream,
    peer,
    readable,
    writable,
    getError: () => error as (WebSocketError & { cause: unknown }) | null,
  };
}

describe("keepalive: three verdicts apart", () => {
  it("pings after the interval of silence, and measures the round trip", async () => {
    const { clock, stream, peer } = await openWithPeer();
    await clock.advance(9_999);
    expect(peer.framesOf(9)).toHaveLength(0);
    await clock.advance(1);
    expect(peer.framesOf(9)).toHaveLength(1);
    await clock.advance(250);
    peer.sendFrame({ opcode: 10, payload: peer.framesOf(9)[0]?.payload });
    await clock.run();
    expect(stream.metrics()).toMatchObject({ rttMs: 250, pingsSent: 1, pongsReceived: 1 });
  });

  it("counts one answer to each Ping: the same Pong again, and one that nobody asked for, measure nothing", async () => {
    const { clock, stream, peer } = await openWithPeer();
    await clock.advance(10_000);
    for (const payload of [Uint8Array.of(0, 0, 0, 9), peer.framesOf(9)[0]?.payload, peer.framesOf(9)[0]?.payload]) {
      await clock.advance(100);
      peer.sendFrame({ opcode: 10, payload });
    }
    peer.sendFrame({ opcode: 10 });
    await clock.run();
    expect(stream.metrics()).toMatchObject({ rttMs: 200, pingsSent: 1, pongsReceived: 1, pingsReceived: 0 });
  });

  it("a peer that answers no Ping is dead after the timeout: 1011, and one error everywhere", async () => {
    const { clock, peer, readable, getError } = await openWithPeer();
    const reading = readable.getReader().read();
    reading.catch(() => {});
    await clock.advance(19_999);
    expect(getError()).toBeNull();
    await clock.advance(1);
    expect(getError()?.closeCode).toBe(1006);
    expect(getError()?.cause).toMatchObject({ code: "ERR_SLUICE_PEER_DEAD" });
    await expect(reading).rejects.toBe(getError());
    expect(peer.closes).toEqual([[1011, "no answer to a Ping (keepAlive.timeoutMs)"]]);
    await clock.advance(2_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it("is on by default: 20 s of silence, 20 s for the answer", async () => {
    const { clock, peer, getError } = await openWithPeer("default");
    await clock.advance(20_000);
    expect(peer.framesOf(9)).toHaveLength(1);
    await clock.advance(19_999);
    expect(getError()).toBeNull();
    await clock.advance(1);
    expect(getError()?.cause).toMatchObject({ code: "ERR_SLUICE_PEER_DEAD" });
  });

  it("false turns it off", async () => {
    const { clock, peer, getError } = await openWithPeer(false);
    await clock.advance(3_600_000);
    expect(peer.framesOf(9)).toHaveLength(0);
    expect(getError()).toBeNull();
  });

  it.each<[string, (peer: HostilePeer) => void]>([
    ["a message", (peer) => peer.sendText("x")],
    ["an unsolicited Pong", (peer) => peer.sendFrame({ opcode: 10 })],
    ["a Ping of its own", (peer) => peer.sendFrame({ opcode: 9 })],
    ["a part of a frame", (peer) => peer.send([0x81])],
  ])("any received byte is life: %s", async (_, send) => {
    const { clock, peer, getError, readable } = await openWithPeer();
    readable.pipeTo(new WritableStream()).catch(() => {});
    await clock.advance(15_000);
    send(peer);
    await clock.advance(14_999);
    expect(getError()).toBeNull();
    await clock.advance(15_001);
    expect(getError()?.cause).toMatchObject({ code: "ERR_SLUICE_PEER_DEAD" });
  });

  it("paused by us: a stalled reader has no verdict, and the peer is pinged on", async () => {
    const { clock, peer, getError } = await openWithPeer();
    for (let i = 0; i < 10; i++) peer.sendText("unread");
    await clock.advance(600_000);
    expect(getError()).toBeNull();
    expect(peer.framesOf(9).length).toBeGreaterThan(10);
  });

  it.each([5_000, 30_000])("paused by us: a Ping in every interval, whatever timeoutMs is: %i", async (timeoutMs) => {
    const { clock, peer } = await openWithPeer({ intervalMs: 10_000, timeoutMs });
    for (let i = 0; i < 10; i++) peer.sendText("unread");
    await clock.advance(69_999);
    expect(peer.framesOf(9)).toHaveLength(6);
  });

  it("paused by us, and stalled by the peer: Pings do not pile up behind what cannot leave", async () => {
    const { clock, stream, peer, writable, getError } = await openWithPeer();
    for (let i = 0; i < 10; i++) peer.sendText("unread");
    peer.pause();
    writable
      .getWriter()
      .write(new Uint8Array(1_000_000))
      .catch(() => {});
    await clock.advance(20_000);
    const held = stream.metrics().heldBytesOut;
    await clock.advance(86_400_000);
    expect(stream.metrics().heldBytesOut).toBe(held);
    expect(getError()).toBeNull();
    // When the backlog is gone they go on.
    peer.resume();
    await clock.advance(30_000);
    expect(peer.framesOf(9).length).toBeGreaterThan(1);
  });

  it("a peer that died while we were paused is noticed after the reader has caught up", async () => {
    const { clock, peer, readable, getError } = await openWithPeer();
    for (let i = 0; i < 10; i++) peer.sendText("unread");
    await clock.advance(600_000);
    readable.pipeTo(new WritableStream()).catch(() => {});
    await clock.advance(9_000);
    expect(getError()).toBeNull();
    await clock.advance(31_000);
    expect(getError()?.cause).toMatchObject({ code: "ERR_SLUICE_PEER_DEAD" });
  });

  it("paused by us for longer than pausedTimeoutMs: 1013", async () => {
    const { clock, peer, getError } = await openWithPeer({ ...TEN_SECONDS, pausedTimeoutMs: 60_000 });
    for (let i = 0; i < 10; i++) peer.sendText("unread");
    await clock.advance(65_000);
    expect(getError()).toBeNull();
    await clock.advance(10_000);
    expect(getError()?.cause).toMatchObject({ code: "ERR_SLUICE_READER_PAUSED" });
    expect(peer.closes).toEqual([[1013, "the reader stood still (keepAlive.pausedTimeoutMs)"]]);
  });

  it("stalled by the peer: takes nothing and says nothing for stalledTimeoutMs: 1008", async () => {
    const { clock, peer, writable, getError } = await openWithPeer({ ...TEN_SECONDS, stalledTimeoutMs: 60_000 });
    peer.pause();
    const writing = writable.getWriter().write(new Uint8Array(1_000_000));
    writing.catch(() => {});
    await clock.advance(69_999);
    expect(getError()).toBeNull();
    await clock.advance(10_001);
    expect(getError()?.cause).toMatchObject({ code: "ERR_SLUICE_PEER_STALLED" });
    await expect(writing).rejects.toBe(getError());
  });

  it("stalled by the peer is no death: a silent peer with a backlog lives for 15 minutes", async () => {
    const { clock, peer, writable, getError } = await openWithPeer();
    peer.pause();
    writable
      .getWriter()
      .write(new Uint8Array(1_000_000))
      .catch(() => {});
    await clock.advance(890_000);
    expect(getError()).toBeNull();
    await clock.advance(30_000);
    expect(getError()?.cause).toMatchObject({ code: "ERR_SLUICE_PEER_STALLED" });
  });

  it("bytes of a backlog that drain are life", async () => {
    const { clock, peer, writable, getError } = await openWithPeer({ ...TEN_SECONDS, stalledTimeoutMs: 15_000 });
    peer.pause();
    writable
      .getWriter()
      .write(new Uint8Array(10_000_000))
      .catch(() => {});
    for (let i = 0; i < 20; i++) {
      await clock.advance(9_000);
      peer.resume();
      await clock.advance(0);
      peer.pause();
      if (peer.bytesReceived > 9_000_000) break;
    }
    expect(getError()).toBeNull();
  });

  it("stops when the closing handshake starts: that has its own timer", async () => {
    const { clock, stream, peer, getError } = await openWithPeer();
    await clock.advance(9_000);
    stream.close();
    await clock.advance(29_000);
    expect(peer.framesOf(9)).toHaveLength(0);
    expect(getError()).toBeNull();
    await clock.advance(1_000);
    expect(getError()?.closeCode).toBe(1006);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("promise 4: alive under pressure", () => {
  it("a reader stalled for five minutes with 10 s heartbeats on both sides: it lives, memory is flat, then all arrives", async () => {
    const options = { keepAlive: TEN_SECONDS };
    const { clock, client, server } = createPair({ client: options, server: options });
    const { writable } = await client.opened;
    const { readable } = await server.opened;
    const writer = writable.getWriter();
    let sent = 0;
    const sending = (async () => {
      while (sent < 200) {
        await writer.write(new Uint8Array(16_384).fill(sent));
        sent++;
      }
      await writer.close();
    })();
    await clock.advance(30_000);
    const sentBefore = sent;
    const heldBefore = server.metrics().heldBytesIn + client.metrics().heldBytesOut;
    await clock.advance(300_000);
    expect(sent).toBe(sentBefore);
    expect(sent).toBeLessThan(200);
    expect(server.metrics().heldBytesIn + client.metrics().heldBytesOut).toBe(heldBefore);
    const received: number[] = [];
    const reading = readable.pipeTo(
      new WritableStream({ write: (message) => void received.push((message as Uint8Array)[0] as number) }),
    );
    await clock.advance(60_000);
    await Promise.all([sending, reading]);
    expect(received).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(await client.closed).toEqual({ closeCode: 1005, reason: "" });
  });
});
