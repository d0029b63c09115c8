import { afterEach, describe, expect, it, vi } from "vitest";
import { MemoryTransport } from "../../packages/sluice/src/testing/memory-transport.ts";
import { createHarness, type Harness, type HarnessOptions, type Role, reasonOf } from "../support/harness.ts";

const open: Harness[] = [];

async function harness(role: Role, options: HarnessOptions = {}): Promise<Harness> {
  const made = await createHarness("memory", { role, ...options });
  open.push(made);
  return made;
}

afterEach(async () => {
  for (const made of open.splice(0)) await made.dispose();
});

describe.each(["client", "server"] as const)("RFC 6455 §6.1 sending, as %s", (role) => {
  it("F17: the first frame has the opcode, the others 0; FIN on the last; none above 128 KiB (D-17)", async () => {
    const { peer, writable, until, untilTrue } = await harness(role, { capacityBytes: 1_000_000 });
    const writer = writable.getWriter();
    const payload = Uint8Array.from({ length: 300_000 }, (_, i) => i);
    await until(Promise.all([writer.write(payload), writer.write("é".repeat(100_000)), writer.write("last")]));
    await untilTrue(() => peer.framesOf(1).length === 2);
    const frames = peer.frames.map(({ opcode, isFin, payload }) => [opcode, isFin, payload.byteLength] as const);
    expect(frames.map(([opcode]) => opcode)).toEqual([2, 0, 0, 1, 0, 1]);
    expect(frames.map(([, isFin]) => isFin)).toEqual([false, false, true, false, true, true]);
    expect(Math.max(...frames.map(([, , length]) => length))).toBeLessThanOrEqual(131_072);
    const joined = Buffer.concat(peer.frames.slice(0, 3).map((frame) => frame.payload));
    expect(joined.equals(payload)).toBe(true);
    const text = Buffer.concat(peer.frames.slice(3, 5).map((frame) => frame.payload)).toString();
    expect(text === "é".repeat(100_000)).toBe(true);
  });

  it("F06, F07: every frame of a client is masked, none of a server", async () => {
    const { peer, writable, stream, until } = await harness(role);
    const writer = writable.getWriter();
    await until(Promise.all([writer.write("text"), writer.write(""), writer.write(new Uint8Array(70_000))]));
    peer.sendFrame({ opcode: 9, payload: "?" });
    await until(Promise.resolve());
    stream.close();
    await until(Promise.resolve());
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([1, 1, 2, 10, 8]);
    expect(peer.frames.map(({ isMasked }) => isMasked)).toEqual(Array(5).fill(role === "client"));
  });

  it("bytes are those of the time when the message is taken: what is written into them later is not sent (§10.3)", async () => {
    const { peer, writable, until } = await harness(role, { capacityBytes: 1_000 });
    peer.pause();
    const writer = writable.getWriter();
    const payload = new Uint8Array(300_000).fill(1);
    const writing = writer.write(payload);
    await until(Promise.resolve());
    payload.fill(2);
    peer.resume();
    await until(writing);
    await until(Promise.resolve());
    const sent = Buffer.concat(peer.frames.map((frame) => frame.payload));
    expect(sent.byteLength).toBe(300_000);
    expect(sent.every((byte) => byte === 1)).toBe(true);
    expect(payload.every((byte) => byte === 2)).toBe(true);
  });

  it("S6: the small messages of one turn are handed to the transport together", async () => {
    const { peer, writable, until } = await harness(role);
    const writer = writable.getWriter();
    const write = vi.spyOn(MemoryTransport.prototype, "write");
    const burst = async (): Promise<void> => {
      await until(Promise.all(Array.from({ length: 10 }, (_, i) => writer.write(`message ${i}`))));
      await until(Promise.resolve());
    };
    await burst();
    expect(peer.framesOf(1)).toHaveLength(10);
    expect(write).toHaveBeenCalledTimes(1);
    await burst();
    expect(peer.framesOf(1)).toHaveLength(20);
    expect(write).toHaveBeenCalledTimes(2);
  });

  it("S6: a small message waits for no others where they come one at a time", async () => {
    const { writable, until } = await harness(role);
    const writer = writable.getWriter();
    const write = vi.spyOn(MemoryTransport.prototype, "write");
    await until(writer.write("the first"));
    for (let count = 2; count <= 4; count++) {
      const writing = writer.write("alone");
      expect(write).toHaveBeenCalledTimes(count);
      await until(writing);
    }
    await until(Promise.all([writer.write("not alone, as it turns out"), writer.write("nor is this")]));
    expect(write).toHaveBeenCalledTimes(6);
    await until(Promise.all([writer.write("one of two"), writer.write("two of two")]));
    expect(write).toHaveBeenCalledTimes(7);
  });
});

describe.each(["client", "server"] as const)("what write() waits for while the peer takes nothing, as %s", (role) => {
  /** Bytes handed to the transport so far. */
  function countWritten(): () => number {
    const write = vi.spyOn(MemoryTransport.prototype, "write");
    return () => write.mock.calls.reduce((sum, [bytes]) => sum + bytes.byteLength, 0);
  }

  it("S2: of a large message no more is made into frames than the limit and one frame", async () => {
    const { peer, writable, until } = await harness(role, { capacityBytes: 1_000 });
    peer.pause();
    const written = countWritten();
    const writing = writable.getWriter().write(new Uint8Array(5_000_000));
    await until(Promise.resolve());
    expect(written()).toBeGreaterThan(65_536);
    expect(written()).toBeLessThanOrEqual(1_000 + 65_536 + 131_072 + 14);
    peer.resume();
    await until(writing);
    expect(written()).toBeGreaterThan(5_000_000);
  });

  it.each([
    ["no limit is given", undefined, 65_536],
    ["sendLimitBytes is 10,000", 10_000, 10_000],
    ["sendLimitBytes is 0", 0, 0],
  ])("S3: a message is done when no more is unsent than the limit, when %s", async (_, sendLimitBytes, limit) => {
    const { peer, writable, until } = await harness(role, { capacityBytes: 1_000, sendLimitBytes });
    peer.pause();
    const writer = writable.getWriter();
    let done = 0;
    const note = (): void => void done++;
    // The first fits what the system takes and the limit; the second does not.
    const first = writer.write(new Uint8Array(limit + 1_000 - 14)).then(note);
    await until(Promise.resolve());
    expect(done).toBe(1);
    const second = writer.write(new Uint8Array(100)).then(note);
    await until(Promise.resolve());
    expect(done).toBe(1);
    peer.resume();
    await until(Promise.all([first, second]));
    expect(done).toBe(2);
  });
});

describe("a chunk whose conversion closes the connection", () => {
  it("is not sent, and its write() rejects at once (2.8)", async () => {
    const { stream, peer, writable, until } = await harness("client");
    const writer = writable.getWriter();
    const chunk = {
      toString(): string {
        stream.close({ closeCode: 4000 });
        return "too late";
      },
    };
    const writing = reasonOf(writer.write(chunk as unknown as string));
    expect(await writing).toMatchObject({ name: "InvalidStateError" });
    await until(Promise.resolve());
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([8]);
  });
});
