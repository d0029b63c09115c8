import { constants, createDeflateRaw } from "node:zlib";
import { describe, expect, it } from "vitest";
import { deflateBomb } from "../../packages/sluice/src/testing/deflate-bomb.ts";
import { expectBytes, expectClose, expectFailure, readAll } from "./outcome.ts";
import { measureProcessMemory } from "./process-memory.ts";
import { randomOf } from "./random.ts";
import { createStage, ROLES, turn } from "./stage.ts";

const stage = createStage();

const MIB = 1_048_576;
const RESERVE = 131_072;
/** What an inflater holds besides its output: zlib's own state and window, and steps of output. */
const INFLATER = 262_144;
const isCompressed = true;

describe.each(ROLES)("RFC 7692 §8: compressed bombs against our %s", (role) => {
  it.each([
    ["in one frame", 1],
    ["in 1,000 fragments", 1_000],
  ])("64 MiB %s: 1009 while inflating, and no more than the limit is held", async (_, fragments) => {
    const meeting = await stage.meet(role, { isCompressed, maxMessageBytes: 2 * MIB });
    const reading = readAll(meeting.readable);
    const before = await measureProcessMemory();
    meeting.peer.sendBomb(64 * MIB, fragments);
    await expectFailure(meeting, "ERR_SLUICE_MESSAGE_TOO_BIG");
    await expectClose(meeting, 1009);
    expect((await reading).messages).toEqual([]);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(2 * 2 * MIB + INFLATER + RESERVE);
    expect((await measureProcessMemory()) - before).toBeLessThan(8 * MIB);
  });

  it("with maxInflateRatio: 1008 long before the limit", async () => {
    const meeting = await stage.meet(role, { isCompressed, maxInflateRatio: 100 });
    meeting.peer.sendBomb(64 * MIB);
    await expectFailure(meeting, "ERR_SLUICE_INFLATE_RATIO");
    await expectClose(meeting, 1008);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(16 * MIB);
  });

  it("20 at once: each is refused, and the memory is free again", async () => {
    const meetings = await Promise.all(
      Array.from({ length: 20 }, () => stage.meet(role, { isCompressed, maxMessageBytes: MIB })),
    );
    const before = await measureProcessMemory();
    for (const { peer } of meetings) peer.sendBomb(8 * MIB, 7);
    await Promise.all(
      meetings.map(async (meeting) => {
        await expectFailure(meeting, "ERR_SLUICE_MESSAGE_TOO_BIG");
        await expectClose(meeting, 1009);
      }),
    );
    for (const { heldBytes } of meetings) expect(heldBytes.in).toBeLessThanOrEqual(2 * MIB + INFLATER + RESERVE);
    expect((await measureProcessMemory()) - before).toBeLessThan(16 * MIB);
  });

  it("1,000 messages of 1 MiB, a kilobyte each on the wire, that nobody reads: two at most are inflated", async () => {
    const { stream, peer, heldBytes, readable } = await stage.meet(role, { isCompressed });
    const payload = deflateBomb(MIB);
    const flooding = peer.flood({ opcode: 2, rsv: 4, payload }, 1_000);
    while (!stream.metrics().isInputPaused) await turn();
    for (let quiet = 0; quiet < 50; quiet++) await turn();
    expect(heldBytes.in).toBeLessThanOrEqual(3 * MIB + INFLATER + RESERVE);
    // Read slowly they come, one by one.
    const reader = readable.getReader();
    for (let count = 0; count < 20; count++) expect((await reader.read()).value).toHaveLength(MIB);
    expect(heldBytes.in).toBeLessThanOrEqual(3 * MIB + INFLATER + RESERVE);
    peer.destroy();
    await flooding;
    await reader.cancel();
    await stream.closed.catch(() => {});
  });

  it("messages that are nothing but references into those before: counted the same", async () => {
    const meeting = await stage.meet(role, { isCompressed, maxMessageBytes: MIB });
    const reader = meeting.readable.getReader();
    const deflate = createDeflateRaw({ level: 9 });
    const compress = async (bytes: Uint8Array): Promise<Uint8Array> => {
      const chunks: Uint8Array[] = [];
      const onData = (chunk: Uint8Array): void => void chunks.push(chunk);
      deflate.on("data", onData);
      deflate.write(bytes);
      await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
      deflate.off("data", onData);
      return Buffer.concat(chunks).subarray(0, -4);
    };
    const random = randomOf(1);
    const seed = Uint8Array.from({ length: 30_000 }, () => 256 * random());
    const first = await compress(seed);
    meeting.peer.sendFrame({ opcode: 2, rsv: 4, payload: first });
    expectBytes((await reader.read()).value, seed);
    const again = await compress(seed);
    expect(again.byteLength).toBeLessThan(first.byteLength / 20);
    meeting.peer.sendFrame({ opcode: 2, rsv: 4, payload: again });
    expectBytes((await reader.read()).value, seed);
    const bomb = await compress(Buffer.concat(Array.from({ length: 40 }, () => seed)));
    meeting.peer.sendFrame({ opcode: 2, rsv: 4, payload: bomb });
    await expectFailure(meeting, "ERR_SLUICE_MESSAGE_TOO_BIG");
    await expectClose(meeting, 1009);
    deflate.close();
  });

  it.each([
    ["a reserved type of block", [0x07]],
    ["a stored block whose length is not confirmed", [0x00, 0x05, 0x00, 0x00, 0x00]],
    ["a distance in front of the beginning", [0x4b, 0x04, 0x12, 0x00]],
    ["a table with too many codes", [0xfd, 0xff, 0xff, 0xff, 0xff]],
    ["data cut off in a stored block", [0x00, 0x05, 0x00, 0xfa, 0xff, 0x61]],
    ["data cut off in a code", [0xf2, 0x48]],
    ["text", [...Buffer.from("this was never compressed at all")]],
  ])("%s: 1007", async (_, bytes) => {
    const meeting = await stage.meet(role, { isCompressed });
    meeting.peer.sendFrame({ opcode: 2, rsv: 4, payload: Uint8Array.from(bytes) });
    await expectFailure(meeting, "ERR_SLUICE_INVALID_DEFLATE_DATA");
    await expectClose(meeting, 1007);
  });

  it.each([
    [
      "a fault in a later fragment",
      [
        { opcode: 2, rsv: 4, isFin: false, payload: Uint8Array.of(0x4a, 0x04, 0x00) },
        { opcode: 0, payload: Uint8Array.of(0x07, 0x07, 0x07) },
      ],
    ],
    [
      "a message cut off between fragments",
      [{ opcode: 2, rsv: 4, isFin: false, payload: Uint8Array.of(0xf2) }, { opcode: 0 }],
    ],
  ])("%s: 1007", async (_, frames) => {
    const meeting = await stage.meet(role, { isCompressed });
    for (const frame of frames) meeting.peer.sendFrame(frame);
    await expectFailure(meeting, "ERR_SLUICE_INVALID_DEFLATE_DATA");
    await expectClose(meeting, 1007);
  });

  it("a megabyte of blocks that hold nothing gives an empty message", async () => {
    const { peer, readable, heldBytes } = await stage.meet(role, { isCompressed });
    const stored = Buffer.concat(Array.from({ length: 200_000 }, () => Uint8Array.of(0x00, 0x00, 0x00, 0xff, 0xff)));
    peer.sendFrame({ opcode: 1, rsv: 4, payload: Buffer.concat([stored, Uint8Array.of(0x00)]) });
    expect((await readable.getReader().read()).value).toBe("");
    expect(heldBytes.in).toBeLessThanOrEqual(2 * MIB + INFLATER + RESERVE);
  });

  it("half a megabyte of final blocks does not hold up the others", async () => {
    const { peer, readable, heldBytes } = await stage.meet(role, { isCompressed });
    const final = Buffer.concat(Array.from({ length: 250_000 }, () => Uint8Array.of(0x03, 0x00)));
    peer.sendFrame({ opcode: 1, rsv: 4, payload: Buffer.concat([final, Uint8Array.of(0x00)]) });
    let turns = 0;
    const reading = readable.getReader().read();
    let isOver = false;
    void reading.finally(() => {
      isOver = true;
    });
    for (; !isOver; turns++) await turn();
    expect((await reading).value).toBe("");
    // Each block costs zlib a reset: the work is cut into turns, not done in the one in which the bytes come.
    expect(turns).toBeGreaterThan(1_000);
    expect(heldBytes.in).toBeLessThanOrEqual(2 * MIB + INFLATER + RESERVE);
  });
});

describe.each(ROLES)("RFC 6455 §10.4: messages too large for our %s", (role) => {
  const maxMessageBytes = 100_000;

  it("an announced length is refused at the header: no payload has to come", async () => {
    const meeting = await stage.meet(role, { maxMessageBytes });
    meeting.peer.sendFrame({ opcode: 2, announcedLength: maxMessageBytes + 1 });
    await expectFailure(meeting, "ERR_SLUICE_MESSAGE_TOO_BIG");
    await expectClose(meeting, 1009);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(RESERVE);
  });

  it("exactly the limit is delivered, one byte more in fragments is not", async () => {
    const meeting = await stage.meet(role, { maxMessageBytes });
    const reader = meeting.readable.getReader();
    meeting.peer.sendBinary(new Uint8Array(maxMessageBytes));
    expect((await reader.read()).value).toHaveLength(maxMessageBytes);
    meeting.peer.sendFrame({ opcode: 2, isFin: false, payload: new Uint8Array(maxMessageBytes) });
    meeting.peer.sendFrame({ opcode: 0, payload: "x" });
    await expectFailure(meeting, "ERR_SLUICE_MESSAGE_TOO_BIG");
    await expectClose(meeting, 1009);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(2 * maxMessageBytes + RESERVE);
  });

  it("a message that grows without end, fragment by fragment", async () => {
    const meeting = await stage.meet(role, { maxMessageBytes: 4 * MIB });
    meeting.peer.sendFrame({ opcode: 2, isFin: false });
    await meeting.peer.flood({ opcode: 0, isFin: false, payload: new Uint8Array(1_000) }, 1_000_000);
    await expectFailure(meeting, "ERR_SLUICE_MESSAGE_TOO_BIG");
    await expectClose(meeting, 1009);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(2 * 4 * MIB + RESERVE);
  });

  it("30 promises of 100 MiB that are not kept cost 1 MiB each at most", async () => {
    const meetings = await Promise.all(Array.from({ length: 30 }, () => stage.meet(role)));
    const before = await measureProcessMemory();
    for (const { peer, readable } of meetings) {
      readAll(readable);
      peer.sendFrame({ opcode: 2, payload: new Uint8Array(1_000), announcedLength: 104_857_600 });
    }
    for (const { stream } of meetings) while (stream.metrics().heldBytesIn < 1_000) await turn();
    expect((await measureProcessMemory()) - before).toBeLessThan(30 * (MIB + RESERVE) + 8 * MIB);
    for (const { heldBytes } of meetings) expect(heldBytes.in).toBeLessThanOrEqual(MIB + RESERVE);
    for (const { peer } of meetings) peer.reset();
    for (const meeting of meetings) await expectFailure(meeting, "ECONNRESET");
  });
});
