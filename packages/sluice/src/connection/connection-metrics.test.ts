import { describe, expect, it } from "vitest";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { Connection } from "./connection.ts";
import { NO_METRICS, readMetrics } from "./connection-metrics.ts";

/** A connection that reads everything, a peer, and how often the clock was read. */
function open() {
  const clock = new VirtualClock();
  let readings = 0;
  const now = clock.now.bind(clock);
  clock.now = () => {
    readings++;
    return now();
  };
  const [transport, peerTransport] = MemoryTransport.pair(clock, { capacityBytes: 50_000 });
  const connection = new Connection(transport, { role: "server", clock, fillRandom: (target) => target.fill(1) });
  const observer = { queuedBytes: 0, onMessage() {}, onCloseStarted() {}, onClosed() {} };
  connection.setDemand(true);
  connection.start(observer);
  const countReadings = async (act: () => void): Promise<number> => {
    const before = readings;
    act();
    await clock.run();
    return readings - before;
  };
  return { clock, connection, observer, peer: new HostilePeer(peerTransport, "client"), countReadings };
}

describe("readMetrics", () => {
  it("has the same members as a stream without a connection, in the same order", () => {
    expect(Object.keys(readMetrics(open().connection))).toEqual(Object.keys(NO_METRICS));
  });

  it("counts what waits for the reader of a stream as held", () => {
    const { connection, observer } = open();
    observer.queuedBytes = 700;
    expect(readMetrics(connection)).toMatchObject({ heldBytesIn: 700, heldBytesOut: 0 });
  });
});

describe("what the counters cost", () => {
  it.each([
    [
      "received",
      (count: number) =>
        ({ peer }: ReturnType<typeof open>) => {
          for (let i = 0; i < count; i++) peer.sendText("hello");
        },
    ],
    [
      "sent",
      (count: number) =>
        ({ connection }: ReturnType<typeof open>) => {
          for (let i = 0; i < count; i++) connection.send("hello");
        },
    ],
  ])("the clock is not read for messages that are %s", async (_, messages) => {
    const few = open();
    await few.clock.run();
    const ofOne = await few.countReadings(() => messages(1)(few));
    const many = open();
    await many.clock.run();
    const ofThousand = await many.countReadings(() => messages(1_000)(many));
    const { messagesReceived, messagesSent } = many.connection.counters;
    expect(messagesReceived + messagesSent).toBe(1_000);
    expect(ofThousand).toBe(ofOne);
  });
});
