import { markBoth, readUsage, requireIntact, type Sample, type Scenario } from "./scenario.ts";

/** One message to all, again and again. */
export const broadcast: Scenario = {
  name: "broadcast",
  quickPeers: ["sluice", "ws", "bun"],
  title: "Broadcast of 1 KiB to many connections of one client process",
  unit: "deliveries/s",
  better: "higher",
  cells: [100, 1000].map((connections) => ({
    name: `${connections} receivers`,
    kind: "binary",
    bytes: 1024,
    connections,
    isQuick: connections === 1000,
  })),
  excludes(peer) {
    if (["net", "deno", "faye-websocket"].includes(peer.server))
      return "it has no broadcast, nor a list of connections";
    return undefined;
  },
  async prepare(pair, { kind, bytes, connections = 1 }, pace) {
    await pair.connect(connections);
    await pair.client.ask("receive", { kind, bytes });
    const run = async (milliseconds: number, isThorough: boolean, isProfiled: boolean): Promise<Sample> => {
      await pair.client.ask("expect", isThorough);
      await markBoth(pair, isProfiled);
      const { sent } = await pair.server.ask("broadcast", { kind, bytes, milliseconds });
      const result = await pair.client.ask("received", sent);
      const usage = await readUsage(pair, sent);
      requireIntact(result, sent);
      return { value: (result.received / result.elapsedMs) * 1000, ...usage };
    };
    return {
      async warmUp() {
        await run(pace.warmUpMs, true, false);
      },
      measure: (isProfiled) => run(pace.milliseconds, false, isProfiled),
    };
  },
};

/** Open, and close again. */
export const handshakes: Scenario = {
  name: "handshakes",
  quickPeers: ["sluice", "ws", "bun"],
  title: "Handshakes: open and close, 32 at a time",
  unit: "handshakes/s",
  better: "higher",
  cells: [{ name: "32 at a time", kind: "binary", bytes: 32, isQuick: true }],
  excludes: () => undefined,
  async prepare(pair, _cell, pace) {
    await pair.server.ask("forget");
    const { url, setup } = pair;
    const run = async (milliseconds: number, isProfiled: boolean): Promise<Sample> => {
      await markBoth(pair, isProfiled);
      const { count, elapsedMs } = await pair.client.ask("handshakes", { url, setup, concurrency: 32, milliseconds });
      return { value: (count / elapsedMs) * 1000, ...(await readUsage(pair, count)) };
    };
    return {
      async warmUp() {
        await run(pace.warmUpMs, false);
      },
      measure: (isProfiled) => run(pace.milliseconds, isProfiled),
    };
  },
};

/** Connections that do nothing: what each of them keeps resident. */
export const idle: Scenario = {
  name: "idle",
  quickPeers: ["sluice", "ws", "bun"],
  title: "Idle connections: resident memory of the server for each",
  unit: "B/connection",
  better: "lower",
  cells: [
    { name: "2,000 connections", kind: "binary", bytes: 32, connections: 2000, isQuick: true },
    { name: "10,000 connections", kind: "binary", bytes: 32, connections: 10_000, isQuick: false },
  ],
  maxRounds: 1,
  excludes: () => undefined,
  async prepare(pair, { connections = 1 }) {
    // The first ones compile code and grow pools that the others share.
    const before = 500;
    return {
      warmUp: () => pair.connect(before),
      async measure() {
        const [server, client] = await Promise.all([pair.server.ask("collect"), pair.client.ask("collect")]);
        await pair.connect(connections, before);
        const [serverAfter, clientAfter] = await Promise.all([pair.server.ask("collect"), pair.client.ask("collect")]);
        return {
          value: (serverAfter.rss - server.rss) / connections,
          rssServer: serverAfter.rss,
          rssClient: clientAfter.rss,
          more: { "B/connection of the client": (clientAfter.rss - client.rss) / connections },
        };
      },
    };
  },
};
