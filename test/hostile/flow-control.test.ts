import { describe, expect, it } from "vitest";
import { encodeFrame } from "../../packages/sluice/src/testing/wire-frame.ts";
import { meetWithCredit } from "./credit-meeting.ts";
import { expectClose, expectFailure, readAll, reasonOf } from "./outcome.ts";
import { measureProcessMemory } from "./process-memory.ts";
import { createStage, type Meeting, ROLES, turn } from "./stage.ts";

const stage = createStage();

const MIB = 1_048_576;
const RESERVE = 131_072;
const PIECE = 65_536;
/** What every side may send from the start, and the smallest window there is. */
const WINDOW = 65_536;
const credit = { windowBytes: WINDOW, maxWindowBytes: WINDOW };

/** A control record of docs/flow-control.md §3. */
const record = (content: string): string => `\u0010${content}`;

type Wire = string | Uint8Array;

function send({ peer }: Meeting, messages: readonly Wire[]): void {
  for (const message of messages) {
    if (typeof message === "string") peer.sendText(message);
    else peer.sendBinary(message);
  }
}

/** Control records that our side sent. */
const recordsOf = ({ peer }: Meeting): string[] =>
  peer
    .framesOf(1)
    .map(({ payload }) => Buffer.from(payload).toString())
    .filter((text) => text.startsWith("\u0010"));

const piece = (byteLength: number = PIECE): Uint8Array => new Uint8Array(byteLength);

interface Illegal {
  readonly name: string;
  readonly messages: readonly Wire[];
  /** What comes before the fault. @defaultValue nothing */
  readonly delivered?: readonly string[];
}

const rows: readonly (readonly [name: string, messages: readonly Wire[], delivered?: readonly string[]])[] = [
  ["a data message of 65,537 bytes", [piece(PIECE + 1)]],
  ["text of 65,537 bytes in fewer characters", ["\u20ac".repeat(21_846)]],
  ["a piece of 65,537 bytes", [record("B"), piece(PIECE + 1)]],
  ["a message behind the end of data", [record("E"), "x"]],
  ["an empty message behind the end of data", [record("E"), piece(0)]],
  ["a message in pieces behind the end of data", [record("E"), record("B")]],
  ["two ends of data", [record("E"), record("E")]],
  ["an end of data inside a message", [record("B"), "x", record("E")]],
  ["a beginning inside a message", [record("B"), "x", record("B")]],
  ["a finish of nothing", [record("F")]],
  ["a finish without a piece", [record("B"), record("F")]],
  ["a second finish", [record("B"), "x", record("F"), record("F")], ["x"]],
  ["an abandonment of nothing", [record("A")]],
  ["a finish of what was abandoned", [record("B"), "x", record("A"), record("F")]],
  ["text and binary in one message", [record("B"), "x", piece(1)]],
  ["binary and text in one message, the first of them empty", [record("B"), piece(0), "x"]],
  ...[
    ...["", "0", "00", "01", "-1", "+1", " 1", "1 ", "1\n", "1,000", "1e3", "0x10", "1.0", "\u0661", "NaN", "Infinity"],
    ...["2147483648", "4294967295", "9007199254740993", "18446744073709551616", "9".repeat(60_000)],
    // With what is there from the start it is too much.
    "2147483647",
  ].map((amount) => [`credit of ${JSON.stringify(amount.slice(0, 30))}`, [record(`C${amount}`)]] as const),
  ["credit that adds up to more than there may be", [record("C2147400000"), record("C18112")]],
  ["a token of 33 characters", [record(`P${"x".repeat(33)}`)]],
  ["an answer with a token of 33 characters", [record(`Q${"x".repeat(33)}`)]],
  ["a token of 60,000 characters", [record(`P${"x".repeat(60_000)}`)]],
  ["a record without a letter", [record("")]],
  ...["D", "Z", "0", "@", "[", "`", "{", "\u00e9", "\u{1f600}", "\u0000"].map(
    (kind) => [`an unknown record ${JSON.stringify(kind)}`, [record(kind)]] as const,
  ),
];

const ILLEGAL: readonly Illegal[] = rows.map(([name, messages, delivered = []]) => ({ name, messages, delivered }));

describe.each(ROLES)("docs/flow-control.md §8: what breaks the credit protocol fails our %s with 4009", (role) => {
  it.each(ILLEGAL)("$name", async ({ messages, delivered = [] }) => {
    const meeting = await meetWithCredit(stage, role, { credit });
    const reading = readAll(meeting.readable);
    send(meeting, ["in front"]);
    send(meeting, messages);
    send(meeting, ["behind", record("Pbehind")]);
    await expectFailure(meeting, "ERR_SLUICE_FLOW_CONTROL");
    await expectClose(meeting, 4009);
    expect((await reading).messages).toEqual(["in front", ...delivered]);
    expect(recordsOf(meeting)).not.toContain(record("Qbehind"));
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(WINDOW + PIECE + RESERVE);
  });

  it("a sender that goes on without credit: no more than the window and one message is held", async () => {
    const meeting = await meetWithCredit(stage, role, { credit });
    // The first goes to the readable's queue, and is paid for. Nobody reads the others.
    const sent = await meeting.peer.flood({ opcode: 2, payload: piece(10_000) }, 100_000);
    await expectFailure(meeting, "ERR_SLUICE_FLOW_CONTROL");
    await expectClose(meeting, 4009);
    expect(sent).toBeLessThan(100_000);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(WINDOW + PIECE + RESERVE);
    await readAll(meeting.readable);
  });

  it("a flood of empty messages: each costs 128 bytes of the credit", async () => {
    const meeting = await meetWithCredit(stage, role, { credit });
    await meeting.peer.flood({ opcode: 1 }, 1_000_000);
    await expectFailure(meeting, "ERR_SLUICE_FLOW_CONTROL");
    await expectClose(meeting, 4009);
    await readAll(meeting.readable);
  });

  it("a record that is not UTF-8: 1007, as any text", async () => {
    const meeting = await meetWithCredit(stage, role, { credit });
    meeting.peer.sendFrame({ opcode: 1, payload: Uint8Array.of(0x10, 0x43, 0xff) });
    await expectFailure(meeting, "ERR_SLUICE_INVALID_UTF8");
    await expectClose(meeting, 1007);
  });
});

describe.each(ROLES)("docs/flow-control.md §9: a message in pieces against our %s", (role) => {
  it("empty pieces: 1009 at maxFragments, and no memory, although they cost no payload", async () => {
    const maxFragments = 40_000;
    const meeting = await meetWithCredit(stage, role, { credit, maxFragments });
    const reading = readAll(meeting.readable);
    const before = await measureProcessMemory();
    send(meeting, [record("B")]);
    // The reader waits, so that each is paid back at once.
    await meeting.peer.flood({ opcode: 2 }, maxFragments);
    while (meeting.stream.metrics().messagesReceived < maxFragments + 1) await turn();
    expect((await measureProcessMemory()) - before).toBeLessThan(4 * MIB);
    send(meeting, [piece(0)]);
    await expectFailure(meeting, "ERR_SLUICE_MESSAGE_TOO_BIG");
    await expectClose(meeting, 1009);
    expect((await reading).messages).toEqual([]);
  });

  it("pieces of a byte: the memory of what came", async () => {
    const meeting = await meetWithCredit(stage, role, { credit });
    const reading = meeting.readable.getReader().read();
    const before = await measureProcessMemory();
    send(meeting, [record("B")]);
    await meeting.peer.flood({ opcode: 2, payload: "x" }, 40_000);
    while (meeting.stream.metrics().messagesReceived < 40_001) await turn();
    expect((await measureProcessMemory()) - before).toBeLessThan(4 * MIB);
    send(meeting, [record("F")]);
    expect((await reading).value).toEqual(new Uint8Array(40_000).fill(0x78));
  });

  it("a message without end: 1009 at maxMessageBytes", async () => {
    const meeting = await meetWithCredit(stage, role, { credit, maxMessageBytes: 4 * MIB });
    const reading = readAll(meeting.readable);
    send(meeting, [record("B")]);
    await meeting.peer.flood({ opcode: 2, payload: piece(60_000) }, 1_000);
    await expectFailure(meeting, "ERR_SLUICE_MESSAGE_TOO_BIG");
    await expectClose(meeting, 1009);
    expect((await reading).messages).toEqual([]);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(2 * 4 * MIB + WINDOW + PIECE + RESERVE);
  });

  it("messages that are begun and abandoned, again and again: nothing is left of them", async () => {
    const meeting = await meetWithCredit(stage, role, { credit });
    const reading = meeting.readable.getReader().read();
    const before = await measureProcessMemory();
    const isMasked = role === "server";
    const unit = Buffer.concat([
      encodeFrame({ opcode: 1, payload: record("B") }, isMasked),
      encodeFrame({ opcode: 2, payload: piece(500) }, isMasked),
      encodeFrame({ opcode: 1, payload: record("A") }, isMasked),
    ]);
    await meeting.peer.flood(unit, 10_000);
    send(meeting, ["behind"]);
    expect((await reading).value).toBe("behind");
    expect((await measureProcessMemory()) - before).toBeLessThan(4 * MIB);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(WINDOW + PIECE + RESERVE);
  });
});

describe.each(ROLES)("docs/flow-control.md §5: a peer of our %s that plays with credit", (role) => {
  it("grants all there is and reads nothing: write() waits as without credit", async () => {
    const meeting = await meetWithCredit(stage, role, { credit, closeTimeoutMs: 200 });
    const { peer, stream } = meeting;
    send(meeting, [record(`C${2_147_483_647 - WINDOW}`)]);
    while (stream.metrics().messagesReceived === 0) await turn();
    peer.pause();
    const writer = meeting.writable.getWriter();
    const writing = (async () => {
      for (;;) await writer.write(new Uint8Array(MIB));
    })().catch((error: unknown) => error);
    let bytesSent = -1;
    for (let quiet = 0; quiet < 50; quiet++) {
      if (bytesSent !== stream.metrics().bytesSent) quiet = 0;
      bytesSent = stream.metrics().bytesSent;
      await turn();
    }
    expect(meeting.heldBytes.out).toBeLessThanOrEqual(2 * MIB + 65_536 + 262_144);
    stream.close({ closeCode: 4000 });
    await expectFailure(meeting, /^ERR_SLUICE_CLOSE_TIMEOUT$/);
    await writing;
    await writer.closed.catch(() => {});
  });

  it("grants a few bytes at a time, 10,000 times: what is granted is sent, and no more", async () => {
    const meeting = await meetWithCredit(stage, role, { credit });
    const { peer, stream } = meeting;
    const writer = meeting.writable.getWriter();
    const writing = writer.write(new Uint8Array(3 * PIECE));
    writing.catch(() => {});
    const sentBytes = (): number => peer.framesOf(2).reduce((sum, frame) => sum + frame.payload.byteLength, 0);
    await peer.until(() => recordsOf(meeting).includes(record("W")));
    // One data message may go below zero: 65,536 and its cost of 128.
    expect(sentBytes()).toBe(PIECE);
    await peer.flood({ opcode: 1, payload: record("C8") }, 16);
    while (stream.metrics().messagesReceived < 16) await turn();
    expect(sentBytes()).toBe(PIECE);
    await peer.flood({ opcode: 1, payload: record("C8") }, 10_000);
    await writing;
    await peer.until(() => recordsOf(meeting).includes(record("F")));
    expect(sentBytes()).toBe(3 * PIECE);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(RESERVE);
  });

  it("never grants: it is told once, holds up only what is sent to it, and close() ends after closeTimeoutMs", async () => {
    const meeting = await meetWithCredit(stage, role, { credit, closeTimeoutMs: 200 });
    const reader = meeting.readable.getReader();
    const writer = meeting.writable.getWriter();
    const writing = reasonOf(writer.write(new Uint8Array(MIB)));
    await meeting.peer.until(() => recordsOf(meeting).includes(record("W")));
    send(meeting, [record("Pstill there?"), "the other direction"]);
    expect((await reader.read()).value).toBe("the other direction");
    await meeting.peer.until(() => recordsOf(meeting).includes(record("Qstill there?")));
    meeting.stream.close({ closeCode: 4000 });
    await expectFailure(meeting, "ERR_SLUICE_CLOSE_TIMEOUT");
    await writing;
    await writer.closed.catch(() => {});
    await reader.closed.catch(() => {});
    expect(recordsOf(meeting).filter((each) => each === record("W"))).toHaveLength(1);
    expect(meeting.heldBytes.out).toBeLessThanOrEqual(2 * MIB + 65_536 + 262_144);
  });

  it("never grants, and abort() does not wait for it", async () => {
    const meeting = await meetWithCredit(stage, role, { credit });
    const writer = meeting.writable.getWriter();
    const writing = reasonOf(writer.write(new Uint8Array(MIB)));
    await meeting.peer.until(() => recordsOf(meeting).includes(record("W")));
    await writer.abort("enough");
    expect(await writing).toBe("enough");
    await meeting.peer.until(() => meeting.peer.closes.length > 0);
    meeting.peer.sendClose(1000);
    meeting.peer.end();
    await meeting.stream.closed.catch(() => {});
  });

  it("says again and again that it waits: the window grows to its cap and no further", async () => {
    const maxWindowBytes = 4 * WINDOW;
    const meeting = await meetWithCredit(stage, role, { credit: { windowBytes: WINDOW, maxWindowBytes } });
    const reader = meeting.readable.getReader();
    let grantedBytes = WINDOW;
    let paidBytes = 0;
    for (let count = 0; count < 30; count++) {
      const reading = reader.read();
      send(meeting, [record("W")]);
      // Longer than the pause that makes a window grow.
      await new Promise((resolve) => setTimeout(resolve, 8));
      send(meeting, [piece(20_000)]);
      paidBytes += 20_000 + 128;
      expect((await reading).value).toHaveLength(20_000);
    }
    send(meeting, [record("Pend")]);
    await meeting.peer.until(() => recordsOf(meeting).includes(record("Qend")));
    for (const each of recordsOf(meeting)) if (each[1] === "C") grantedBytes += Number(each.slice(2));
    expect(grantedBytes - paidBytes).toBeGreaterThan(WINDOW);
    expect(grantedBytes - paidBytes).toBeLessThanOrEqual(maxWindowBytes);
  });

  it("asks for answers and does not read them: one waits, to the newest", async () => {
    const meeting = await meetWithCredit(stage, role, { credit });
    const { peer } = meeting;
    const before = await measureProcessMemory();
    peer.pause();
    const payload = record(`P${"x".repeat(32)}`);
    expect(await peer.flood({ opcode: 1, payload }, 60_000)).toBe(60_000);
    send(meeting, [record("Pthe newest")]);
    while (meeting.stream.metrics().messagesReceived < 60_001) await turn();
    expect((await measureProcessMemory()) - before).toBeLessThan(8 * MIB);
    peer.resume();
    await peer.until(() => recordsOf(meeting).at(-1) === record("Qthe newest"));
    expect(meeting.heldBytes.out).toBeLessThanOrEqual(262_144);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(RESERVE);
  });

  it("sends records of later versions without end: they are ignored", async () => {
    const meeting = await meetWithCredit(stage, role, { credit });
    await meeting.peer.flood({ opcode: 1, payload: record(`z${"x".repeat(100)}`) }, 10_000);
    send(meeting, ["behind"]);
    expect((await meeting.readable.getReader().read()).value).toBe("behind");
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(RESERVE);
  });
});

describe("flow control in our server", () => {
  it("grants what its window has above 65,536 bytes, behind its answer to the handshake", async () => {
    const meeting = await meetWithCredit(stage, "server");
    await meeting.peer.until(() => meeting.peer.frames.length > 0);
    expect(meeting.peer.head).toMatch(/^HTTP\/1\.1 101 /);
    expect(recordsOf(meeting)).toEqual([record("C983040")]);
  });

  it("one data message above 131,072 bytes: 1009 at its header", async () => {
    const meeting = await meetWithCredit(stage, "server", { credit });
    const reading = readAll(meeting.readable);
    meeting.peer.sendFrame({ opcode: 2, payload: piece(10), announcedLength: 131_073 });
    await expectFailure(meeting, "ERR_SLUICE_MESSAGE_TOO_BIG");
    await expectClose(meeting, 1009);
    expect((await reading).messages).toEqual([]);
  });
});
