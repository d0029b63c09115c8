import { describe, expect, it } from "vitest";
import { encodeFrame } from "../../packages/sluice/src/testing/wire-frame.ts";
import { codeOf, expectFailure, readAll, reasonOf } from "./outcome.ts";
import { createStage, type Meeting, type MeetOptions, ROLES, turn } from "./stage.ts";

const stage = createStage();

const MIB = 1_048_576;
/** One message in the sink, one in the outbox, the send limit and the reserve. */
const BOUND_OUT = 2 * MIB + 65_536 + 262_144;
const IMPATIENT: MeetOptions = { keepAlive: { intervalMs: 50, timeoutMs: 50, stalledTimeoutMs: 100 } };
/** Towards a peer that moves, which must have its time also where the machine is busy. */
const PATIENT: MeetOptions = { keepAlive: { intervalMs: 100, timeoutMs: 100, stalledTimeoutMs: 300 } };

/** Writes until it is not allowed any more. @returns what the last write rejected with */
async function writeOn(
  { writable }: Meeting,
  message: Uint8Array<ArrayBuffer> = new Uint8Array(MIB),
): Promise<unknown> {
  const writer = writable.getWriter();
  for (;;) {
    try {
      await writer.write(message);
    } catch (error) {
      writer.closed.catch(() => {});
      return error;
    }
  }
}

describe.each(ROLES)("a peer that does not take what our %s sends", (role) => {
  it("never reads: 1008 after stalledTimeoutMs, and the write rejects", async () => {
    const meeting = await stage.meet(role, IMPATIENT);
    meeting.peer.pause();
    const writing = writeOn(meeting);
    await expectFailure(meeting, "ERR_SLUICE_PEER_STALLED");
    expect(codeOf(await writing)).toBe("ERR_SLUICE_PEER_STALLED");
    expect(meeting.heldBytes.out).toBeLessThanOrEqual(BOUND_OUT);
    // It finds out when it looks: frames, the last of them cut off by the end.
    meeting.peer.resume();
    await meeting.peer.until(() => meeting.peer.isClosed || meeting.peer.hasEnded);
  });

  it("stops reading in the middle of a message: the same", async () => {
    const meeting = await stage.meet(role, IMPATIENT);
    const { peer } = meeting;
    const writing = writeOn(meeting);
    await peer.until(() => peer.bytesReceived > 3 * MIB);
    peer.pause();
    await expectFailure(meeting, "ERR_SLUICE_PEER_STALLED");
    expect(codeOf(await writing)).toBe("ERR_SLUICE_PEER_STALLED");
    expect(meeting.heldBytes.out).toBeLessThanOrEqual(BOUND_OUT);
  });

  it("reads a little now and then: it is waited for, and everything arrives", async () => {
    const meeting = await stage.meet(role, PATIENT);
    const { peer, stream } = meeting;
    const writer = meeting.writable.getWriter();
    const writing = (async () => {
      for (let count = 0; count < 8; count++) await writer.write(new Uint8Array(MIB).fill(count));
    })();
    let isOver = false;
    const pausing = (async () => {
      while (!isOver) {
        peer.pause();
        await new Promise((resolve) => setTimeout(resolve, 20));
        peer.resume();
        await turn();
      }
    })();
    await writing;
    const isWhole = (): boolean => peer.framesOf(2).length === 8 && peer.frames.at(-1)?.isFin === true;
    await peer.until(() => isWhole() && peer.frames.filter(({ opcode }) => opcode < 8).length > 8);
    isOver = true;
    await pausing;
    const bytes = peer.frames
      .filter(({ opcode }) => opcode < 8)
      .reduce((sum, frame) => sum + frame.payload.byteLength, 0);
    expect(bytes).toBe(8 * MIB);
    expect(meeting.heldBytes.out).toBeLessThanOrEqual(BOUND_OUT);
    peer.sendClose(1000);
    await peer.until(() => peer.closes.length > 0);
    peer.end();
    expect(await stream.closed).toEqual({ closeCode: 1000, reason: "" });
  });

  it("never reads, and abort() does not wait for it", async () => {
    const meeting = await stage.meet(role, { closeTimeoutMs: 100 });
    meeting.peer.pause();
    const writer = meeting.writable.getWriter();
    const writing = reasonOf(writer.write(new Uint8Array(16 * MIB)));
    await writer.abort("enough");
    expect(await writing).toBe("enough");
    await expectFailure(meeting, "ERR_SLUICE_CLOSE_TIMEOUT");
  });

  it("never reads, and close() ends after closeTimeoutMs", async () => {
    const meeting = await stage.meet(role, { closeTimeoutMs: 100 });
    meeting.peer.pause();
    const writing = reasonOf(meeting.writable.getWriter().write(new Uint8Array(16 * MIB)));
    meeting.stream.close({ closeCode: 4000 });
    await expectFailure(meeting, "ERR_SLUICE_CLOSE_TIMEOUT");
    await writing;
  });
});

describe.each(ROLES)("a peer that keeps our %s waiting", (role) => {
  it("says nothing any more in the middle of a frame: 1011, as it answers no Ping", async () => {
    const beginnings = [
      [0x82],
      encodeFrame({ opcode: 1, payload: "half", announcedLength: 100 }, role === "server"),
      encodeFrame({ opcode: 1, isFin: false, payload: "a part" }, role === "server"),
    ];
    await Promise.all(
      beginnings.map(async (bytes) => {
        const meeting = await stage.meet(role, IMPATIENT);
        const reading = readAll(meeting.readable);
        meeting.peer.send(bytes);
        await expectFailure(meeting, "ERR_SLUICE_PEER_DEAD");
        expect((await reading).messages).toEqual([]);
        await meeting.peer.until(() => meeting.peer.hasEnded);
        expect(meeting.peer.closes[0]?.[0]).toBe(1011);
      }),
    );
  });

  it("is alive, and has nothing to say: 1001 after idleTimeoutMs", async () => {
    const meeting = await stage.meet(role, { ...PATIENT, idleTimeoutMs: 300 });
    const { peer } = meeting;
    const answering = (async () => {
      for (let answered = 0; !peer.hasEnded && !peer.isClosed; ) {
        await peer.until(() => peer.hasEnded || peer.framesOf(9).length > answered).catch(() => {});
        const ping = peer.framesOf(9)[answered++];
        if (ping !== undefined) peer.sendFrame({ opcode: 10, payload: ping.payload });
      }
    })();
    await expectFailure(meeting, "ERR_SLUICE_IDLE_TIMEOUT");
    await peer.until(() => peer.hasEnded);
    expect(peer.closes.at(-1)?.[0]).toBe(1001);
    await answering;
  });

  it("does not answer our Close: the end after closeTimeoutMs", async () => {
    const meeting = await stage.meet(role, { closeTimeoutMs: 100 });
    meeting.stream.close({ closeCode: 4000 });
    await expectFailure(meeting, "ERR_SLUICE_CLOSE_TIMEOUT");
    await meeting.peer.until(() => meeting.peer.isClosed || meeting.peer.hasEnded);
    expect(meeting.peer.closes).toEqual([[4000, ""]]);
  });

  it("answers our Close with messages and Pings only: the end after closeTimeoutMs, and none is delivered", async () => {
    const meeting = await stage.meet(role, { closeTimeoutMs: 150 });
    const { peer } = meeting;
    const reading = readAll(meeting.readable);
    meeting.stream.close({ closeCode: 4000 });
    await peer.until(() => peer.closes.length > 0);
    const unit = Buffer.concat([
      encodeFrame({ opcode: 2, payload: new Uint8Array(5_000) }, role === "server"),
      encodeFrame({ opcode: 9 }, role === "server"),
    ]);
    while (!peer.isClosed && !peer.hasEnded) {
      peer.send(unit);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await expectFailure(meeting, "ERR_SLUICE_CLOSE_TIMEOUT");
    expect((await reading).messages).toEqual([]);
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(131_072);
  });
});

describe("a peer of either of us", () => {
  it("never ends TCP behind both Close frames: cut off, and still clean", async () => {
    await Promise.all(
      ROLES.map(async (role) => {
        const { stream, peer } = await stage.meet(role);
        peer.sendClose(4001, "bye");
        expect(await stream.closed).toEqual({ closeCode: 4001, reason: "bye" });
        await peer.until(() => peer.closes.length > 0);
      }),
    );
  });
});
