import type { Pair } from "../runner/pair.ts";
import {
  type Cell,
  formatBytes,
  markBoth,
  type Pace,
  type Rounds,
  readUsage,
  requireIntact,
  type Sample,
  type Scenario,
} from "./scenario.ts";

async function prepareEcho(pair: Pair, cell: Cell, pace: Pace, isLatency: boolean): Promise<Rounds> {
  const { kind, bytes, connections = 1, window = 1 } = cell;
  await pair.connect(connections);
  await pair.server.ask("echo");
  await pair.client.ask("preparePing", { kind, bytes, window });
  async function run(milliseconds: number, isThorough: boolean, isProfiled: boolean): Promise<Sample> {
    await markBoth(pair, isProfiled);
    const result = await pair.client.ask("ping", { milliseconds, isThorough });
    const usage = await readUsage(pair, result.received);
    requireIntact(result, result.received);
    if (!isLatency) return { value: (result.received / result.elapsedMs) * 1000, ...usage };
    return { value: result.p50, ...usage, more: { p99: result.p99, "p99.9": result.p999 } };
  }
  return {
    async warmUp() {
      await run(pace.warmUpMs, true, false);
    },
    measure: (isProfiled) => run(pace.milliseconds, false, isProfiled),
  };
}

/** Round trips with one message in flight. */
export const latency: Scenario = {
  name: "latency",
  title: "Echo, one message in flight: time of a round trip",
  unit: "µs p50",
  better: "lower",
  cells: [32, 125, 1024, 65_536].map((bytes) => ({
    name: formatBytes(bytes),
    kind: "binary",
    bytes,
    isQuick: bytes === 125,
  })),
  excludes: () => undefined,
  prepare: (pair, cell, pace) => prepareEcho(pair, cell, pace, true),
};

/** Echo with many messages in flight. */
export const echo: Scenario = {
  name: "echo",
  title: "Pipelined echo of 125 B",
  unit: "round trips/s",
  better: "higher",
  cells: [1, 64].flatMap((connections) =>
    (["ascii", "binary"] as const).map((kind) => ({
      name: `${connections} connection${connections === 1 ? "" : "s"}, ${kind}, ${connections === 1 ? 256 : 16} in flight each`,
      kind,
      bytes: 125,
      connections,
      window: connections === 1 ? 256 : 16,
      isQuick: connections === 64 && kind === "ascii",
    })),
  ),
  excludes: (peer, cell) => (peer.name === "net" && cell.kind !== "binary" ? "raw sockets know no text" : undefined),
  prepare: (pair, cell, pace) => prepareEcho(pair, cell, pace, false),
};
