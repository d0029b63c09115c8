import { describe, expect, it } from "vitest";
import type { ConnectionLimits } from "../streams/options.ts";
import { toConnectionLimits } from "../streams/options.ts";
import type { WebSocketError } from "../streams/websocket-error.ts";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { createPair, createStream } from "../testing/pair.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";

async function open(options: ConnectionLimits, capacityBytes?: number) {
  const clock = new VirtualClock();
  const [transport, peerTransport] = MemoryTransport.pair(clock, { capacityBytes });
  const stream = createStream(transport, { role: "server", clock, options: { keepAlive: false, ...options } });
  const peer = new HostilePeer(peerTransport, "client");
  const { readable, writable } = await stream.opened;
  let error: (WebSocketError & { cause: unknown }) | null = null;
  stream.closed.catch((reason) => {
    error = reason;
  });
  await clock.run();
  return {
    clock,
    stream,
    peer,
    peerTransport,
    reader: readable.getReader(),
    writer: writable.getWriter(),
    getError: () => error,
  };
}

const MINUTE: ConnectionLimits = { idleTimeoutMs: 60_000 };
const REASON = "no message for 60000 ms (idleTimeoutMs)";

describe("idleTimeoutMs", () => {
  it("closes with 1001 after the time without a message, and everything rejects with one error that names the limit", async () => {
    const { clock, peer, reader, writer, getError } = await open(MINUTE);
    const reading = reader.read();
    reading.catch(() => {});
    await clock.advance(59_999);
    expect(getError()).toBeNull();
    expect(peer.closes).toEqual([]);
    await clock.advance(1);
    expect(peer.closes).toEqual([[1001, REASON]]);
    expect(getError()).toMatchObject({ name: "WebSocketError", closeCode: 1006, reason: "" });
    expect(getError()?.cause).toMatchObject({
      name: "ConnectionError",
      code: "ERR_SLUICE_IDLE_TIMEOUT",
      limit: "idleTimeoutMs",
      message: `The connection was given up: ${REASON}`,
    });
    await expect(reading).rejects.toBe(getError());
    await expect(writer.write("too late")).rejects.toBe(getError());
    await clock.advance(2_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it("begins anew with each message received, and ends at most a quarter later than it could", async () => {
    const { clock, peer, reader, getError } = await open(MINUTE);
    for (let minute = 0; minute < 5; minute++) {
      await clock.advance(50_000);
      peer.sendText("x");
      await clock.run();
      await reader.read();
    }
    await clock.advance(59_999);
    expect(getError()).toBeNull();
    await clock.advance(15_001);
    expect(getError()).not.toBeNull();
  });

  it("begins anew with each message sent", async () => {
    const { clock, writer, getError } = await open(MINUTE);
    for (let minute = 0; minute < 5; minute++) {
      await clock.advance(50_000);
      await writer.write("x");
    }
    expect(getError()).toBeNull();
    await clock.advance(75_000);
    expect(getError()).not.toBeNull();
  });

  it("Pings, Pongs and empty fragments of nothing do not count", async () => {
    const { clock, peer, getError } = await open(MINUTE);
    for (let second = 0; second < 60; second += 5) {
      expect(getError()).toBeNull();
      peer.sendFrame({ opcode: 9, payload: "ping" });
      peer.sendFrame({ opcode: 10, payload: "pong" });
      await clock.advance(5_000);
    }
    expect(peer.framesOf(10).length).toBeGreaterThan(10);
    expect(getError()).not.toBeNull();
  });

  it("a message that comes in slowly counts while it moves, and not once it has stopped", async () => {
    const { clock, peer, getError } = await open(MINUTE);
    peer.sendFrame({ opcode: 2, isFin: false, payload: "begin" });
    for (let minute = 0; minute < 5; minute++) {
      await clock.advance(50_000);
      peer.sendFrame({ opcode: 0, isFin: false, payload: "x" });
    }
    await clock.run();
    expect(getError()).toBeNull();
    await clock.advance(75_000);
    expect(getError()).not.toBeNull();
  });

  it("a message that goes out slowly counts while it moves, and not once it has stopped", async () => {
    const { clock, peerTransport, writer, getError } = await open(MINUTE, 4_096);
    let bytesRead = 0;
    // Takes one chunk, and then nothing until it is asked again.
    peerTransport.start({
      onData: (chunk) => {
        bytesRead += chunk.byteLength;
        peerTransport.pause();
      },
      onAccepted: () => {},
      onEnd: () => {},
      onClose: () => {},
    });
    peerTransport.pause();
    const writing = writer.write(new Uint8Array(1_000_000));
    writing.catch(() => {});
    for (let minute = 0; minute < 5; minute++) {
      await clock.advance(50_000);
      peerTransport.resume();
      await clock.run();
    }
    expect(bytesRead).toBeGreaterThan(0);
    expect(bytesRead).toBeLessThan(100_000);
    expect(getError()).toBeNull();
    await clock.advance(75_000);
    expect(getError()).not.toBeNull();
  });

  it("R9: time in which a received message waits for our reader does not count", async () => {
    const { clock, peer, reader, getError } = await open(MINUTE);
    peer.sendText("unread");
    await clock.advance(600_000);
    expect(getError()).toBeNull();
    expect((await reader.read()).value).toBe("unread");
    // A read that waits is no message.
    reader.read().catch(() => {});
    await clock.advance(75_000);
    expect(getError()).not.toBeNull();
  });

  it("R9: also not while messages stand unparsed behind that one", async () => {
    const { clock, peer, reader, getError } = await open(MINUTE);
    for (const text of ["1", "2", "3"]) peer.sendText(text);
    await clock.advance(600_000);
    for (const text of ["1", "2", "3"]) expect((await reader.read()).value).toBe(text);
    expect(getError()).toBeNull();
  });

  it("is over when the closing handshake begins, and leaves no timer", async () => {
    const { clock, stream, peer } = await open(MINUTE);
    stream.close({ closeCode: 1000 });
    await clock.advance(0);
    peer.sendClose(1000);
    await clock.run();
    peer.end();
    await clock.run();
    expect(await stream.closed).toEqual({ closeCode: 1000, reason: "" });
    expect(clock.pendingTimers).toBe(0);
  });

  it("is off by default, and with Infinity", async () => {
    for (const options of [{}, { idleTimeoutMs: Number.POSITIVE_INFINITY }]) {
      const { clock, getError } = await open(options);
      expect(clock.pendingTimers).toBe(0);
      await clock.advance(86_400_000);
      expect(getError()).toBeNull();
    }
  });

  it("the client has it too: the server sees a clean-looking 1001 with the reason", async () => {
    const { clock, client, server } = createPair({ client: MINUTE });
    await Promise.all([client.opened, server.opened]);
    const outcomes = Promise.allSettled([client.closed, server.closed]);
    await clock.advance(60_000);
    await clock.advance(2_000);
    expect(await outcomes).toMatchObject([
      { status: "rejected", reason: { closeCode: 1006 } },
      { status: "fulfilled", value: { closeCode: 1001, reason: REASON } },
    ]);
  });

  it.each([0, -1, 0.5, Number.NaN, "1000", 2 ** 53])("refuses %j", (value) => {
    expect(() => toConnectionLimits({ idleTimeoutMs: value as number })).toThrow(
      new RangeError(`Cannot use idleTimeoutMs as it must be an integer of at least 1: current value is ${value}`),
    );
  });

  it.each([1, 60_000, Number.POSITIVE_INFINITY, undefined])("takes %j", (value) => {
    expect(toConnectionLimits({ idleTimeoutMs: value }).idleTimeoutMs).toBe(value);
  });
});
