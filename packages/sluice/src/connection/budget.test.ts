import { describe, expect, it } from "vitest";
import { Established } from "../streams/established.ts";
import { WebSocketStream } from "../streams/websocket-stream.ts";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { Budget } from "./budget.ts";
import { Connection } from "./connection.ts";

const MIB = 1_048_576;

async function openConnections(count: number, budget: Budget, clock: VirtualClock) {
  const made = Array.from({ length: count }, () => {
    const [transport, peerTransport] = MemoryTransport.pair(clock);
    const connection = new Connection(transport, {
      role: "server",
      clock,
      budget,
      fillRandom: () => {},
      keepAlive: false,
    });
    const options = { readableStrategy: { highWaterMark: 100 } };
    const info = { url: "ws://test/", protocol: "", extensions: "", options };
    const stream = new WebSocketStream(new Established(connection, info) as never);
    return { stream, peer: new HostilePeer(peerTransport, "client") };
  });
  await clock.run();
  return made;
}

describe("Budget", () => {
  it("counts what members say, and forgets them", () => {
    const budget = new Budget(MIB, () => 0);
    const member = { giveUp: () => {} };
    budget.charge(member, 0, 1000);
    budget.charge(member, 1000, 800);
    expect([budget.usedBytes, budget.isAboveSoft, budget.isAboveHard]).toEqual([800, false, false]);
    budget.charge(member, 800, 900_000);
    expect([budget.isAboveSoft, budget.isAboveHard]).toEqual([true, false]);
    budget.charge(member, 900_000, 0);
    expect(budget.usedBytes).toBe(0);
  });

  it("gives up the member that held most for longest, one at a time", () => {
    let now = 0;
    const budget = new Budget(MIB, () => now);
    const given: string[] = [];
    const members = ["old and large", "new and large", "old and small"].map((name) => ({
      giveUp: () => void given.push(name),
    }));
    budget.charge(members[0] as never, 0, 400_000);
    budget.charge(members[2] as never, 0, 70_000);
    now = 1000;
    budget.charge(members[1] as never, 0, 500_000);
    expect(given).toEqual([]);
    budget.charge(members[1] as never, 500_000, 600_000);
    expect(given).toEqual(["old and large"]);
    budget.charge(members[0] as never, 400_000, 0);
    budget.charge(members[1] as never, 600_000, 1_200_000);
    expect(given).toEqual(["old and large", "old and small"]);
  });

  it("a small member is never given up, and one that shrinks is no candidate any more", () => {
    const budget = new Budget(MIB, () => 0);
    const given: string[] = [];
    const small = { giveUp: () => void given.push("small") };
    const shrunk = { giveUp: () => void given.push("shrunk") };
    budget.charge(shrunk, 0, 100_000);
    budget.charge(shrunk, 100_000, 10);
    for (let i = 0; i < 300; i++) budget.charge({ ...small }, 0, 4_000);
    expect(budget.isAboveHard).toBe(true);
    expect(given).toEqual([]);
  });

  it("gives up as many as it takes, those who sit on little before one who has just come with much", () => {
    let now = 0;
    const budget = new Budget(MIB, () => now);
    const given: number[] = [];
    const charge = (name: number, bytes: number): void => {
      const member = {
        giveUp: () => {
          given.push(name);
          budget.charge(member, bytes, 0);
        },
      };
      budget.charge(member, 0, bytes);
    };
    for (let name = 0; name < 20; name++) charge(name, 50_000);
    now = 10_000;
    charge(20, 200_000);
    expect(given).toHaveLength(4);
    expect(given).not.toContain(20);
    expect(budget.usedBytes).toBe(1_000_000);
  });

  it("who gives back a quarter of what it holds begins anew; who gives back less does not", () => {
    const giveUpAfter = (lowBytes: number): string[] => {
      let now = 0;
      const budget = new Budget(MIB, () => now);
      const given: string[] = [];
      const busy = { giveUp: () => void given.push("busy") };
      const idle = { giveUp: () => void given.push("idle") };
      budget.charge(busy, 0, 400_000);
      now = 1_000;
      budget.charge(idle, 0, 300_000);
      now = 10_000;
      budget.charge(busy, 400_000, lowBytes);
      budget.charge(busy, lowBytes, 400_000);
      budget.charge({ giveUp: () => {} }, 0, 400_000);
      return given;
    };
    expect(giveUpAfter(300_000)).toEqual(["idle"]);
    expect(giveUpAfter(300_001)).toEqual(["busy"]);
  });

  it("among very many, comes to each in turn", () => {
    let now = 0;
    const budget = new Budget(100 * MIB, () => now);
    const given = new Set<number>();
    for (let name = 0; name < 10_000; name++) {
      const member = {
        giveUp: () => {
          given.add(name);
          budget.charge(member, 10_000, 0);
        },
      };
      budget.charge(member, 0, 10_000);
    }
    now = 100_000;
    const newcomer = { giveUp: () => expect.unreachable() };
    for (let bytes = 0; bytes < 90_000_000; bytes += 100_000) {
      budget.charge(newcomer, bytes, bytes + 100_000);
    }
    expect(budget.usedBytes).toBeLessThanOrEqual(100 * MIB);
    expect(given.size).toBeGreaterThan(8_000);
  });
});

describe("connections under a budget", () => {
  it("the one that holds most is closed with 1013 and told why; the others go on; everything is given back", async () => {
    const clock = new VirtualClock();
    const budget = new Budget(MIB, () => clock.now());
    const [hoarder, modest] = await openConnections(2, budget, clock);
    if (hoarder === undefined || modest === undefined) throw new Error("two were made");
    hoarder.peer.sendFrame({ opcode: 2, payload: new Uint8Array(100_000) });
    await clock.advance(1000);
    hoarder.peer.sendFrame({ opcode: 2, isFin: false, payload: new Uint8Array(800_000) });
    await clock.advance(1000);
    modest.peer.sendFrame({ opcode: 2, isFin: false, payload: new Uint8Array(200_000) });
    await clock.run();
    await expect(hoarder.stream.closed).rejects.toMatchObject({ cause: { code: "ERR_SLUICE_MEMORY_BUDGET" } });
    expect(hoarder.peer.closes).toEqual([[1013, "the memory budget is used up (memoryBudgetBytes)"]]);
    modest.peer.sendFrame({ opcode: 0, payload: new Uint8Array(1000) });
    await clock.run();
    const { readable } = await modest.stream.opened;
    expect((await readable.getReader().read()).value).toHaveLength(201_000);
    modest.stream.close();
    modest.peer.sendClose();
    modest.peer.end();
    await clock.advance(5000);
    expect(budget.usedBytes).toBe(0);
  });

  it("above the soft mark a connection queues one message, whatever its strategy allows", async () => {
    const clock = new VirtualClock();
    const budget = new Budget(MIB, () => clock.now());
    const [receiver] = await openConnections(1, budget, clock);
    if (receiver === undefined) throw new Error("one was made");
    budget.charge({ giveUp: () => {} }, 0, 800_000);
    for (let i = 0; i < 50; i++) receiver.peer.sendText("a message");
    await clock.run();
    expect(receiver.stream.metrics().messagesReceived).toBe(1);
    const { readable } = await receiver.stream.opened;
    const reader = readable.getReader();
    for (let i = 0; i < 50; i++) expect((await reader.read()).value).toBe("a message");
  });
});

describe("what was read counts no more", () => {
  it("also when nothing comes from the peer afterwards", async () => {
    const clock = new VirtualClock();
    const budget = new Budget(MIB, () => 0);
    const [only] = await openConnections(1, budget, clock);
    if (only === undefined) throw new Error("one was made");
    const { stream, peer } = only;
    const reader = (await stream.opened).readable.getReader();
    for (let count = 0; count < 3; count++) peer.sendBinary(new Uint8Array(200_000));
    await clock.run();
    expect(budget.usedBytes).toBe(600_000);
    for (let count = 0; count < 3; count++) await reader.read();
    await clock.run();
    expect(budget.usedBytes).toBe(0);
  });
});

describe("a connection that is given up counts no more", () => {
  it("so that what others take in the same turn ends no second one", async () => {
    const clock = new VirtualClock();
    const budget = new Budget(MIB, () => clock.now());
    const [first, second] = await openConnections(2, budget, clock);
    if (first === undefined || second === undefined) throw new Error("two were made");
    first.peer.sendFrame({ opcode: 2, isFin: false, payload: new Uint8Array(600_000) });
    await clock.run();
    second.peer.sendFrame({ opcode: 2, isFin: false, payload: new Uint8Array(300_000) });
    await clock.run();
    const other = { giveUp: () => {} };
    budget.charge(other, 0, 400_000);
    expect(budget.isAboveHard).toBe(false);
    budget.charge(other, 400_000, 410_000);
    await clock.run();
    await expect(first.stream.closed).rejects.toMatchObject({ cause: { code: "ERR_SLUICE_MEMORY_BUDGET" } });
    second.peer.sendFrame({ opcode: 0, payload: new Uint8Array(1) });
    await clock.run();
    const { readable } = await second.stream.opened;
    expect((await readable.getReader().read()).value).toHaveLength(300_001);
  });
});
