import { describe, expect, it } from "vitest";
import { MessageByteLengthStrategy } from "../../packages/sluice/src/streams/strategies.ts";
import { encodeFrame } from "../../packages/sluice/src/testing/wire-frame.ts";
import { expectClose, expectFailure, readAll } from "./outcome.ts";
import { measureProcessMemory } from "./process-memory.ts";
import { createStage, ROLES, turn } from "./stage.ts";

const stage = createStage();

const MIB = 1_048_576;
/** The reserve of the bound on the way in: a chunk from the socket, one that a paused socket holds, control frames. */
const RESERVE = 131_072;

describe.each(ROLES)("floods against our %s", (role) => {
  const isMasked = role === "server";

  it("of empty fragments: 1008 at maxFragments, and no memory", async () => {
    const meeting = await stage.meet(role);
    const reading = readAll(meeting.readable);
    meeting.peer.sendFrame({ opcode: 1, isFin: false });
    await meeting.peer.flood({ opcode: 0, isFin: false }, 10_000_000);
    await expectFailure(meeting, "ERR_SLUICE_TOO_MANY_FRAGMENTS");
    await expectClose(meeting, 1008);
    expect((await reading).messages).toEqual([]);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(RESERVE);
  });

  it("of fragments of one byte: 1008 at maxFragments, and the memory of what came", async () => {
    const meeting = await stage.meet(role);
    meeting.peer.sendFrame({ opcode: 2, isFin: false });
    await meeting.peer.flood({ opcode: 0, isFin: false, payload: "x" }, 10_000_000);
    await expectFailure(meeting, "ERR_SLUICE_TOO_MANY_FRAGMENTS");
    await expectClose(meeting, 1008);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(2 * 131_072 + RESERVE);
  });

  it("of fragments of one byte, with Pings between, below the limit: one message", async () => {
    const { readable, peer, heldBytes } = await stage.meet(role);
    const reading = readable.getReader().read();
    const unit = Buffer.concat([
      encodeFrame({ opcode: 0, isFin: false, payload: "x" }, isMasked),
      encodeFrame({ opcode: 9 }, isMasked),
    ]);
    peer.sendFrame({ opcode: 1, isFin: false });
    await peer.flood(unit, 50_000);
    peer.sendFrame({ opcode: 0, payload: "!" });
    expect((await reading).value).toBe(`${"x".repeat(50_000)}!`);
    expect(heldBytes.in).toBeLessThanOrEqual(2 * 65_536 + RESERVE);
  });

  it.each([
    ["the default strategy", undefined],
    ["a strategy that counts bytes", new MessageByteLengthStrategy({ highWaterMark: 65_536 })],
  ])("of empty messages that nobody reads, with %s: the socket is paused", async (_, readableStrategy) => {
    const meeting = await stage.meet(role, { readableStrategy });
    const before = await measureProcessMemory();
    const flooding = meeting.peer.flood({ opcode: 1 }, 5_000_000);
    while (!meeting.stream.metrics().isInputPaused) await turn();
    // The kernel's buffers fill up behind it; then nothing comes any more.
    let received = -1;
    for (let quiet = 0; quiet < 50; quiet++) {
      if (received !== meeting.stream.metrics().bytesReceived) quiet = 0;
      received = meeting.stream.metrics().bytesReceived;
      await turn();
    }
    expect(received).toBeLessThan(MIB);
    // Each counts with the 256 bytes that it takes in memory.
    expect(meeting.stream.metrics().messagesReceived).toBeLessThanOrEqual(65_536 / 256 + 2);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(65_536 + RESERVE);
    expect((await measureProcessMemory()) - before).toBeLessThan(8 * MIB);
    meeting.peer.destroy();
    expect(await flooding).toBeLessThan(5_000_000);
    await meeting.readable.cancel();
    await meeting.stream.closed.catch(() => {});
  });

  it("of empty messages that are read: each is delivered", async () => {
    const { readable, peer, heldBytes } = await stage.meet(role);
    const flooding = peer.flood({ opcode: 1 }, 10_000);
    const reader = readable.getReader();
    for (let count = 0; count < 10_000; count++) expect((await reader.read()).value).toBe("");
    expect(await flooding).toBe(10_000);
    expect(heldBytes.in).toBeLessThanOrEqual(RESERVE);
  });

  it("of Pings, from a peer that does not read its Pongs: one waits, and it answers the newest", async () => {
    const { peer, heldBytes } = await stage.meet(role);
    const before = await measureProcessMemory();
    peer.pause();
    const payload = new Uint8Array(125);
    expect(await peer.flood({ opcode: 9, payload }, 80_000)).toBe(80_000);
    peer.sendFrame({ opcode: 9, payload: "the newest" });
    // All of them were read, although nothing can be sent.
    for (let quiet = 0; quiet < 20; quiet++) await turn();
    expect((await measureProcessMemory()) - before).toBeLessThan(8 * MIB);
    peer.resume();
    const newest = (): string => Buffer.from(peer.framesOf(10).at(-1)?.payload ?? []).toString();
    await peer.until(() => newest() === "the newest");
    expect(heldBytes.in).toBeLessThanOrEqual(RESERVE);
    expect(heldBytes.out).toBeLessThanOrEqual(262_144);
    expect(peer.frames.every(({ opcode }) => opcode === 10)).toBe(true);
  });

  it("of Pings, while a message of ours waits for the peer: the message arrives whole", async () => {
    const { peer, writable, heldBytes } = await stage.meet(role);
    peer.pause();
    const message = new Uint8Array(8 * MIB).fill(1);
    const writing = writable.getWriter().write(message);
    await peer.flood({ opcode: 9, payload: "ping" }, 50_000);
    peer.resume();
    await writing;
    const data = () => peer.frames.filter(({ opcode }) => opcode < 8);
    await peer.until(() => data().at(-1)?.isFin === true);
    expect(data().reduce((sum, { payload }) => sum + payload.byteLength, 0)).toBe(8 * MIB);
    expect(
      data()
        .slice(1)
        .every(({ opcode }) => opcode === 0),
    ).toBe(true);
    expect(heldBytes.out).toBeLessThanOrEqual(2 * 8 * MIB + 65_536 + 262_144);
  });

  it("of Pongs that nobody asked for: they are dropped", async () => {
    const { peer, readable, heldBytes } = await stage.meet(role);
    const payload = new Uint8Array(125);
    expect(await peer.flood({ opcode: 10, payload }, 50_000)).toBe(50_000);
    peer.sendText("behind");
    expect((await readable.getReader().read()).value).toBe("behind");
    expect(heldBytes.in).toBeLessThanOrEqual(RESERVE);
    expect(peer.bytesReceived).toBeLessThan(1_000);
  });

  it("of Close frames: one answer", async () => {
    const { stream, peer } = await stage.meet(role);
    const close = encodeFrame({ opcode: 8, payload: Uint8Array.of(0x0f, 0xa0) }, isMasked);
    peer.send(Buffer.concat(Array.from({ length: 5_000 }, () => close)));
    await peer.until(() => peer.closes.length > 0);
    peer.end();
    expect(await stream.closed).toEqual({ closeCode: 4000, reason: "" });
    await peer.until(() => peer.isClosed);
    expect(peer.closes).toEqual([[4000, ""]]);
  });
});

describe("a flood that goes on", () => {
  it("behind the fault for which it was failed: dropped, and cut off after a while", async () => {
    const before = await measureProcessMemory();
    await Promise.all(
      ROLES.map(async (role) => {
        const meeting = await stage.meet(role);
        const { peer } = meeting;
        const reading = readAll(meeting.readable);
        peer.sendFrame({ opcode: 3 });
        await expectFailure(meeting, "ERR_SLUICE_RESERVED_OPCODE");
        const chunk = encodeFrame({ opcode: 2, payload: new Uint8Array(60_000) }, role === "server");
        // Our side stops reading when it goes, not when it is told to.
        for (let sent = 0; !peer.isClosed; sent++) {
          if (sent < 2_000) peer.send(chunk);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        expect((await reading).messages).toEqual([]);
        expect(meeting.heldBytes.in).toBeLessThanOrEqual(RESERVE);
      }),
    );
    expect((await measureProcessMemory()) - before).toBeLessThan(16 * MIB);
  });
});
