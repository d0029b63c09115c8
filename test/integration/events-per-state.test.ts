import { describe, expect, it } from "vitest";
import { WebSocketError } from "../../packages/sluice/src/streams/websocket-error.ts";
import { createHarness, type Harness, outcomeOf, type Role, reasonOf } from "../support/harness.ts";

// The states OPEN and CONNECTING have their cells in outcomes.test.ts and connecting.test.ts.

async function closingByUs(role: Role): Promise<Harness> {
  const harness = await createHarness("memory", { role });
  harness.stream.close({ closeCode: 4001, reason: "ours" });
  await harness.untilTrue(() => harness.peer.closes.length === 1);
  return harness;
}

async function closingByPeer(role: Role): Promise<Harness> {
  const harness = await createHarness("memory", { role });
  harness.peer.sendClose(4002, "theirs");
  await harness.untilTrue(() => harness.peer.closes.length === 1);
  return harness;
}

async function closed(role: Role): Promise<Harness> {
  const harness = await closingByPeer(role);
  harness.peer.end();
  await harness.until(harness.stream.closed);
  return harness;
}

const THEIRS = { closeCode: 4002, reason: "theirs" };

describe.each(["client", "server"] as const)("spec-digest 2.16 events per state, as %s", (role) => {
  describe("CLOSING, we initiated", () => {
    it("close() only validates", async () => {
      const { stream, peer, advance } = await closingByUs(role);
      expect(() => stream.close({ closeCode: 1001 })).toThrow(DOMException);
      stream.close({ closeCode: 4009 });
      await advance(1);
      expect(peer.closes).toEqual([[4001, "ours"]]);
    });

    it("writer.close() rejects; abort() and cancel() fulfil without effect on the wire", async () => {
      const { writable, readable, peer, until } = await closingByUs(role);
      expect(await until(reasonOf(writable.close()))).toBeInstanceOf(Error);
      expect((await outcomeOf(until(writable.abort()))).isFulfilled).toBe(true);
      expect((await outcomeOf(until(readable.cancel()))).isFulfilled).toBe(true);
      expect(peer.closes).toHaveLength(1);
    });

    it("a data message is dropped, a Ping answered, the peer's Close finishes the handshake", async () => {
      const { stream, peer, readable, until } = await closingByUs(role);
      peer.sendText("dropped");
      peer.sendFrame({ opcode: 9, payload: "x" });
      peer.sendClose(4002, "theirs");
      peer.end();
      expect(await until(stream.closed)).toEqual(THEIRS);
      expect(await until(readable.getReader().read())).toEqual({ value: undefined, done: true });
      expect(peer.framesOf(10)).toHaveLength(1);
    });

    it.each<[string, (harness: Harness) => void]>([
      ["FIN", ({ peer }) => peer.end()],
      ["RST", ({ reset }) => reset()],
      ["a protocol violation", ({ peer }) => peer.sendFrame({ opcode: 3 })],
    ])("%s is unclean with 1006", async (_, act) => {
      const harness = await closingByUs(role);
      act(harness);
      const reason = await harness.until(reasonOf(harness.stream.closed));
      expect(reason).toBeInstanceOf(WebSocketError);
      expect(reason).toMatchObject({ closeCode: 1006 });
      expect(harness.peer.closes).toEqual([[4001, "ours"]]);
    });

    it("the timer destroys the transport", async () => {
      const { stream, peer, until, advance } = await closingByUs(role);
      await advance(29_999);
      expect(peer.hasEnded || peer.isClosed).toBe(false);
      await advance(1);
      expect(await until(reasonOf(stream.closed))).toMatchObject({ closeCode: 1006 });
      expect(peer.hasEnded || peer.isClosed).toBe(true);
    });
  });

  describe("CLOSING, the peer initiated", () => {
    it.each<[string, (harness: Harness) => void]>([
      ["close()", ({ stream }) => stream.close({ closeCode: 4009 })],
      ["a data message", ({ peer }) => peer.sendText("late")],
      ["a Ping", ({ peer }) => peer.sendFrame({ opcode: 9 })],
      ["a second Close", ({ peer }) => peer.sendClose(4003)],
      ["a protocol violation", ({ peer }) => peer.sendFrame({ opcode: 3 })],
    ])("%s changes nothing", async (_, act) => {
      const harness = await closingByPeer(role);
      act(harness);
      await harness.advance(1);
      harness.peer.end();
      expect(await harness.until(harness.stream.closed)).toEqual(THEIRS);
      expect(harness.peer.frames.map(({ opcode }) => opcode)).toEqual([8]);
    });

    it("writer.close() rejects; abort() and cancel() fulfil without effect on the wire", async () => {
      const { writable, readable, peer, until } = await closingByPeer(role);
      expect(await until(reasonOf(writable.close()))).toBeInstanceOf(Error);
      expect((await outcomeOf(until(writable.abort()))).isFulfilled).toBe(true);
      expect((await outcomeOf(until(readable.cancel()))).isFulfilled).toBe(true);
      expect(peer.closes).toHaveLength(1);
    });

    it("RST after both Close frames is clean, and so is the timer's end", async () => {
      const afterReset = await closingByPeer(role);
      afterReset.reset();
      expect(await afterReset.until(afterReset.stream.closed)).toEqual(THEIRS);
      const afterTimer = await closingByPeer(role);
      await afterTimer.advance(2_000);
      expect(await afterTimer.until(afterTimer.stream.closed)).toEqual(THEIRS);
    });
  });

  describe("CLOSED", () => {
    it("close() only validates; writes reject; abort() and cancel() settle; the result stays", async () => {
      const { stream, writable, readable, until, peer } = await closed(role);
      stream.close();
      expect(() => stream.close({ closeCode: 1001 })).toThrow(DOMException);
      expect(await until(reasonOf(writable.close()))).toBeInstanceOf(Error);
      expect((await outcomeOf(until(writable.abort()))).isFulfilled).toBe(true);
      expect((await outcomeOf(until(readable.cancel()))).isFulfilled).toBe(true);
      expect(await stream.closed).toEqual(THEIRS);
      expect(peer.closes).toHaveLength(1);
    });
  });
});
