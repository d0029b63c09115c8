import { describe, expect, it } from "vitest";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { createStream } from "../testing/pair.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { encodeFrame } from "../testing/wire-frame.ts";

/** A stream, and a peer that takes one chunk when it is told to, and nothing else. */
async function open(closeTimeoutMs: number) {
  const clock = new VirtualClock();
  const [transport, peer] = MemoryTransport.pair(clock, { capacityBytes: 4_096 });
  const stream = createStream(transport, { role: "server", clock, options: { keepAlive: false, closeTimeoutMs } });
  let bytesTaken = 0;
  peer.start({
    onData: (chunk) => {
      bytesTaken += chunk.byteLength;
      peer.pause();
    },
    onAccepted: () => {},
    onEnd: () => {},
    onClose: () => {},
  });
  peer.pause();
  const { writable } = await stream.opened;
  await clock.run();
  let error: unknown = null;
  stream.closed.catch((reason: unknown) => {
    error = reason;
  });
  return {
    clock,
    stream,
    peer,
    writer: writable.getWriter(),
    getError: () => error,
    getBytesTaken: () => bytesTaken,
    async takeOne() {
      peer.resume();
      await clock.run();
    },
  };
}

describe("closeTimeoutMs (D-15)", () => {
  it("a slow link that still takes the last message is not cut", async () => {
    const { clock, stream, writer, getError, takeOne, getBytesTaken } = await open(30_000);
    writer.write(new Uint8Array(60_000)).catch(() => {});
    stream.close();
    for (let count = 0; count < 10; count++) {
      await clock.advance(20_000);
      await takeOne();
    }
    expect(getBytesTaken()).toBeLessThan(60_000);
    expect(getError()).toBeNull();
    await clock.advance(30_000);
    expect(getError()).toMatchObject({ cause: { code: "ERR_SLUICE_CLOSE_TIMEOUT", limit: "closeTimeoutMs" } });
  });

  it.each([
    ["at once", 0],
    ["behind a message that the peer takes slowly", 8_000],
  ])(
    "Pongs behind our Close, sent %s, are no progress: a peer cannot hold the connection with Pings",
    async (_, byteLength) => {
      const { clock, stream, peer, writer, getError, takeOne } = await open(30_000);
      if (byteLength > 0) writer.write(new Uint8Array(byteLength)).catch(() => {});
      stream.close();
      await clock.run();
      const ping = encodeFrame({ opcode: 9, payload: new Uint8Array(125) }, true);
      for (let count = 0; count < 12; count++) {
        // More Pongs than there is room for, and then a little room.
        for (let flood = 0; flood < 100; flood++) peer.write(ping.slice());
        await clock.run();
        await clock.advance(10_000);
        await takeOne();
      }
      expect(getError()).toMatchObject({ closeCode: 1006, cause: { code: "ERR_SLUICE_CLOSE_TIMEOUT" } });
    },
  );

  it("an exchange of Close frames is clean although a Pong behind ours was not taken", async () => {
    const { clock, stream, peer, writer, takeOne, getBytesTaken } = await open(30_000);
    writer.write(new Uint8Array(8_000)).catch(() => {});
    stream.close({ closeCode: 1000 });
    await clock.run();
    const ping = encodeFrame({ opcode: 9, payload: new Uint8Array(125) }, true);
    // Header, message and Close are 8,008 bytes.
    while (getBytesTaken() < 8_008) {
      for (let flood = 0; flood < 100; flood++) peer.write(ping.slice());
      await clock.run();
      await takeOne();
    }
    peer.write(encodeFrame({ opcode: 8, payload: Uint8Array.of(3, 232) }, true));
    await clock.run();
    peer.destroy();
    await clock.run();
    expect(await stream.closed).toEqual({ closeCode: 1000, reason: "" });
  });
});
