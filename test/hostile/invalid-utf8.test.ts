import { constants, deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { expectClose, expectFailure, readAll } from "./outcome.ts";
import { createStage, ROLES } from "./stage.ts";

const stage = createStage();

/** Each is wrong wherever it stands (RFC 3629 §3, §4). */
const WRONG: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ["a lone continuation byte", [0x80]],
  ["ff", [0xff]],
  ["an overlong slash", [0xc0, 0xaf]],
  ["an overlong of three bytes", [0xe0, 0x80, 0xaf]],
  ["an overlong of four bytes", [0xf0, 0x80, 0x80, 0xaf]],
  ["half a surrogate pair", [0xed, 0xa0, 0x80]],
  ["a whole surrogate pair", [0xed, 0xa1, 0x80, 0xed, 0xb0, 0x80]],
  ["a code point above 10ffff", [0xf4, 0x90, 0x80, 0x80]],
  ["a character that another one interrupts", [0xe2, 0x82, 0x61]],
];

/** Positions around the widths at which validators look at several bytes together. */
const POSITIONS = [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 1_023, 65_535];

/** Text of exactly so many bytes; one in eight of its characters is longer than a byte. */
function textOf(byteLength: number): Buffer {
  const text = "abcdef\u00e9".repeat(Math.ceil(byteLength / 8));
  const bytes = Buffer.from(text).subarray(0, byteLength);
  // A character cut in two by the end is replaced.
  if ((bytes.at(-1) ?? 0) === 0xc3) bytes[bytes.byteLength - 1] = 0x61;
  return bytes;
}

describe.each(ROLES)("RFC 6455 §8.1: text that is not UTF-8 fails our %s with 1007", (role) => {
  it.each(WRONG)("%s, at any position", async (_, wrong) => {
    for (const position of POSITIONS) {
      const meeting = await stage.meet(role);
      const reading = readAll(meeting.readable);
      meeting.peer.sendFrame({
        opcode: 1,
        payload: Buffer.concat([textOf(position), Uint8Array.from(wrong), textOf(9)]),
      });
      await expectFailure(meeting, "ERR_SLUICE_INVALID_UTF8");
      await expectClose(meeting, 1007);
      expect((await reading).messages).toEqual([]);
    }
  });

  it.each(WRONG)("%s, cut by frames at any position", async (_, wrong) => {
    const bytes = Buffer.concat([textOf(3), Uint8Array.from(wrong), textOf(3)]);
    for (let cut = 0; cut <= bytes.byteLength; cut++) {
      const meeting = await stage.meet(role);
      const { peer } = meeting;
      peer.sendFrame({ opcode: 1, isFin: false, payload: bytes.subarray(0, cut) });
      peer.sendFrame({ opcode: 9 });
      peer.sendFrame({ opcode: 0, isFin: true, payload: bytes.subarray(cut) });
      await expectFailure(meeting, "ERR_SLUICE_INVALID_UTF8");
      await expectClose(meeting, 1007);
    }
  });

  it.each(WRONG)("%s, in a message that never ends: it does not wait for the rest", async (_, wrong) => {
    const meeting = await stage.meet(role);
    const { peer } = meeting;
    // The frame announces more than ever comes.
    const payload = Buffer.concat([textOf(5), Uint8Array.from(wrong)]);
    peer.sendFrame({ opcode: 1, isFin: false, payload, announcedLength: 100 });
    await expectFailure(meeting, "ERR_SLUICE_INVALID_UTF8");
    await expectClose(meeting, 1007);
  });

  it.each([
    ["of two bytes", [0xc3]],
    ["of three bytes", [0xe2, 0x82]],
    ["of four bytes", [0xf0, 0x9f, 0x98]],
  ])("a character %s that the end of the message cuts off", async (_, start) => {
    for (let length = 1; length <= start.length; length++) {
      for (const isCut of [false, true]) {
        const meeting = await stage.meet(role);
        const payload = Buffer.concat([textOf(8), Uint8Array.from(start.slice(0, length))]);
        meeting.peer.sendFrame({ opcode: 1, isFin: !isCut, payload });
        if (isCut) meeting.peer.sendFrame({ opcode: 0 });
        await expectFailure(meeting, "ERR_SLUICE_INVALID_UTF8");
        await expectClose(meeting, 1007);
      }
    }
  });

  it.each(WRONG)("%s, compressed", async (_, wrong) => {
    const meeting = await stage.meet(role, { isCompressed: true });
    const text = Buffer.concat([textOf(1_000), Uint8Array.from(wrong)]);
    const payload = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
    meeting.peer.sendFrame({ opcode: 1, rsv: 4, payload });
    await expectFailure(meeting, "ERR_SLUICE_INVALID_UTF8");
    await expectClose(meeting, 1007);
  });

  it("the same bytes are welcome in binary messages", async () => {
    const meeting = await stage.meet(role);
    const reader = meeting.readable.getReader();
    for (const [, wrong] of WRONG) {
      meeting.peer.sendBinary(Uint8Array.from(wrong));
      expect((await reader.read()).value).toEqual(Uint8Array.from(wrong));
    }
  });
});
