import type { Scenario } from "./scenario.ts";

const RATE = 10_000_000;

/** A producer as fast as it is let, a consumer that takes its time: what the processes hold in the meantime. */
export const slowConsumer: Scenario = {
  name: "slow-consumer",
  quickPeers: ["sluice", "ws", "undici-stream"],
  title: "A consumer of 10 MB/s and a fast producer: the most that both processes grew",
  unit: "MB grown",
  better: "lower",
  cells: (["push", "ingest"] as const).map((direction) => ({
    name: `${direction} 64 KiB binary`,
    kind: "binary",
    bytes: 65_536,
    direction,
    isQuick: direction === "push",
  })),
  maxRounds: 1,
  excludes: () => undefined,
  async prepare(pair, { kind, bytes, direction }, pace) {
    const [sender, receiver] = direction === "push" ? [pair.server, pair.client] : [pair.client, pair.server];
    await pair.connect(1);
    const milliseconds = pace.isQuick ? 2000 : 5000;
    return {
      async warmUp() {},
      async measure() {
        await sender.ask("mark", { everyMs: 50 });
        await receiver.ask("mark", { everyMs: 50 });
        await receiver.ask("consume", { bytesPerSecond: RATE });
        // It may take long to hand over the rest: nobody waits for that.
        sender.ask("send", { kind, bytes, milliseconds, maxBytes: 2 ** 30 }).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        const consumed = await receiver.ask("consumed");
        const [sent, received] = await Promise.all([sender.ask("usage"), receiver.ask("usage")]);
        const grownBySender = (sent.maxRss - sent.rssAtMark) / 1e6;
        const grownByReceiver = (received.maxRss - received.rssAtMark) / 1e6;
        return {
          value: grownBySender + grownByReceiver,
          more: {
            "share of the rate": consumed.bytes / (RATE * (consumed.elapsedMs / 1000)),
            "MB grown by the sender": grownBySender,
            "MB grown by the receiver": grownByReceiver,
            "B held out by the sender": sent.maxHeldOut,
            "B held in by the receiver": received.maxHeldIn,
          },
        };
      },
    };
  },
};

/** What a client still reads from the system after its application has stopped reading. */
export const stopReading: Scenario = {
  name: "stop-reading",
  quickPeers: ["sluice", "ws"],
  title: "The reader stops in the middle of a flood: bytes read from the system after its queue is full, in one second",
  unit: "B",
  better: "lower",
  cells: [125, 65_536].map((bytes) => ({
    name: `push ${bytes === 125 ? "125 B" : "64 KiB"} binary`,
    kind: "binary",
    bytes,
    direction: "push",
    isQuick: bytes === 125,
  })),
  maxRounds: 1,
  excludes(peer) {
    if (peer.client === "net") return "it has no queue";
    if (["bun", "deno"].includes(peer.client)) return "its runtime does not tell what a socket has read";
    return undefined;
  },
  async prepare(pair, { kind, bytes }) {
    await pair.connect(1);
    return {
      async warmUp() {},
      async measure() {
        const stopped = pair.client.ask("readThenStop", 1000);
        pair.server.ask("send", { kind, bytes, milliseconds: 1500, maxBytes: 2 ** 28 }).catch(() => {});
        await stopped;
        const atStop = await pair.client.ask("bytesRead");
        await new Promise((resolve) => setTimeout(resolve, 100));
        const whenFull = await pair.client.ask("bytesRead");
        await new Promise((resolve) => setTimeout(resolve, 1000));
        const atEnd = await pair.client.ask("bytesRead");
        return { value: atEnd - whenFull, more: { "B read between the stop and the full queue": whenFull - atStop } };
      },
    };
  },
};
