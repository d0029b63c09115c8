import { describe, expect, it } from "vitest";
import { serve } from "../../packages/sluice/src/server.ts";
import { connectHostile } from "../../packages/sluice/src/testing/hostile-client.ts";
import type { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { createScope } from "../support/scope.ts";
import { codeOf, expectClose, reasonOf } from "./outcome.ts";
import { createStage, type Meeting, turn } from "./stage.ts";

const MIB = 1_048_576;
const BUDGET = 4 * MIB;
/** A chunk from the socket for each of those who are attacked, which nobody is asked for before it is there. */
const CHUNK = 65_536;
const ATTACKERS = 40;

const stage = createStage({ memoryBudgetBytes: BUDGET });
const use = createScope();

/** Waits until the server's connections hold what they hold for a while. @returns the most that they held */
async function settle(): Promise<number> {
  let mostBytes = 0;
  for (let quiet = 0, before = -1; quiet < 50; quiet++) {
    const { heldBytesIn, heldBytesOut } = stage.server.metrics();
    if (Math.abs(heldBytesIn + heldBytesOut - before) > CHUNK) quiet = 0;
    before = heldBytesIn + heldBytesOut;
    mostBytes = Math.max(mostBytes, before);
    await turn();
  }
  return mostBytes;
}

/** Those that were given up got 1013 and the reason; the others go on. @returns how many were given up */
async function sortOut(meetings: readonly Meeting[]): Promise<number> {
  let count = 0;
  for (const meeting of meetings) {
    const isGivenUp = meeting.peer.closes.length > 0;
    if (isGivenUp) {
      count++;
      await expectClose(meeting, 1013);
      expect(codeOf(await reasonOf(meeting.stream.closed))).toBe("ERR_SLUICE_MEMORY_BUDGET");
    } else {
      meeting.peer.destroy();
      await meeting.readable.cancel().catch(() => {});
      await meeting.stream.closed.catch(() => {});
    }
  }
  return count;
}

describe("attackers who each hold no more than one may, against a memory budget for all", () => {
  it("messages that are never finished: those that hold most are given up, until the rest fits", async () => {
    const meetings = await Promise.all(Array.from({ length: ATTACKERS }, () => stage.meet("server")));
    for (const { peer } of meetings) {
      peer.sendFrame({ opcode: 2, isFin: false, payload: new Uint8Array(400_000) });
    }
    expect(await settle()).toBeLessThanOrEqual(BUDGET + ATTACKERS * CHUNK);
    const { heldBytesIn, budgetGivenUp } = stage.server.metrics();
    expect(heldBytesIn).toBeLessThanOrEqual(BUDGET);
    expect(budgetGivenUp).toBeGreaterThan(ATTACKERS / 4);
    expect(await sortOut(meetings)).toBe(budgetGivenUp);
  });

  it("messages that nobody reads: above three quarters each queues one at most", async () => {
    const readableStrategy = { highWaterMark: 100 };
    const meetings = await Promise.all(
      Array.from({ length: ATTACKERS }, () => stage.meet("server", { readableStrategy })),
    );
    for (const { peer } of meetings) void peer.flood({ opcode: 2, payload: new Uint8Array(20_000) }, 100);
    expect(await settle()).toBeLessThanOrEqual(BUDGET + ATTACKERS * CHUNK);
    expect(stage.server.metrics().heldBytesIn).toBeLessThanOrEqual(BUDGET);
    await sortOut(meetings);
  });

  it("writes that wait for peers who do not read", async () => {
    const meetings = await Promise.all(Array.from({ length: ATTACKERS }, () => stage.meet("server")));
    for (const { peer } of meetings) peer.pause();
    const writings = meetings.map(({ writable }) =>
      writable
        .getWriter()
        .write(new Uint8Array(8 * MIB))
        .catch(() => {}),
    );
    // All in one turn, in which the sockets of those that were given up cannot be closed yet.
    for (let turns = 0; turns < 3; turns++) await turn();
    expect(await settle()).toBeLessThanOrEqual(BUDGET);
    for (const { peer } of meetings) peer.destroy();
    await Promise.all(writings);
    for (const { stream } of meetings) await stream.closed.catch(() => {});
  });

  it("a little each: who sits on it goes, honest ones with larger messages go on", async () => {
    const { url, server, connect } = await startOwn();
    const honest = await Promise.all([connect(), connect(), connect()]);
    const attackers: HostilePeer[] = [];
    const attack = async (): Promise<void> => {
      const attacker = await connect();
      attackers.push(attacker);
      attacker.sendFrame({ opcode: 2, isFin: false, payload: new Uint8Array(50_000) });
    };
    while (attackers.length < 20) await attack();
    while (server.metrics().budgetUsedBytes < 1_000_000) await turn();
    // Long enough that nobody could take a moment in which this process stands still for sitting.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    for (let count = 1; count <= 10; count++) {
      await attack();
      await Promise.all(
        honest.map(async (peer, index) => {
          const payload = new Uint8Array(150_000).fill(16 * index + count);
          peer.sendBinary(payload);
          await peer.until(() => peer.frames.reduce((sum, frame) => sum + frame.payload.length, 0) === 150_000 * count);
          const echo = Buffer.concat(peer.frames.map((frame) => frame.payload)).subarray(150_000 * (count - 1));
          expect(echo.equals(payload)).toBe(true);
        }),
      );
    }
    expect(honest.flatMap(({ closes }) => closes)).toEqual([]);
    const { budgetGivenUp } = server.metrics();
    expect(budgetGivenUp).toBeGreaterThan(0);
    const isTold = (): boolean => attackers.filter(({ closes }) => closes[0]?.[0] === 1013).length === budgetGivenUp;
    while (!isTold()) await turn();
    expect((await connectHostile(url)).statusCode).toBe(101);
  });

  it("too little each to be worth ending, of too many: newcomers get 503, those that are there go on", async () => {
    const { server, connect } = await startOwn();
    const honest = await connect();
    const attackers: HostilePeer[] = [];
    while (server.metrics().budgetUsedBytes <= MIB) {
      const before = server.metrics().budgetUsedBytes;
      const attacker = await connect();
      attackers.push(attacker);
      attacker.sendFrame({ opcode: 2, isFin: false, payload: new Uint8Array(4_000) });
      while (server.metrics().budgetUsedBytes < before + 4_000) await turn();
    }
    const newcomers = await Promise.all(Array.from({ length: 20 }, connect));
    expect(newcomers.map(({ statusCode }) => statusCode)).toEqual(newcomers.map(() => 503));
    expect(Buffer.from(newcomers[0]?.rest ?? []).toString()).toContain("memoryBudgetBytes");
    for (let count = 1; count <= 10; count++) {
      honest.sendText(`still here ${count}`);
      await honest.until(() => honest.frames.length === count);
      expect(Buffer.from(honest.frames[count - 1]?.payload ?? []).toString()).toBe(`still here ${count}`);
    }
    expect(server.metrics().budgetGivenUp).toBe(0);
    // As soon as one has gone there is a place again.
    attackers[0]?.reset();
    while (server.connectionCount > attackers.length) await turn();
    expect((await connect()).statusCode).toBe(101);
  });
});

/** A server of its own that echoes, with the smallest budget there is. */
async function startOwn() {
  const options = { port: 0, host: "127.0.0.1", memoryBudgetBytes: MIB };
  const server = use(
    await serve(options, async (stream) => {
      const { readable, writable } = await stream.opened;
      await readable.pipeTo(writable).catch(() => {});
    }),
  );
  const { url } = await server.listening;
  return { url, server, connect: async (): Promise<HostilePeer> => use(await connectHostile(url)) };
}
