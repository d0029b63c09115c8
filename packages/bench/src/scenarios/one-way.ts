import type { PayloadKind } from "../agent/payloads.ts";
import type { AgentProcess } from "../runner/agent-process.ts";
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

const SIZES = [32, 125, 1024, 16_384, 65_536, 1_048_576];
const KINDS: PayloadKind[] = ["binary", "ascii", "multibyte"];
const DIRECTIONS = ["push", "ingest"] as const;

/** What a quick run takes: the smallest, and what the targets name. */
const QUICK = new Set(["32 B binary", "125 B ascii", "64 KiB binary"]);

function createCells(sizes: number[], kinds: PayloadKind[], isQuick: (cell: string) => boolean, rest: object): Cell[] {
  return sizes.flatMap((bytes) =>
    kinds.flatMap((kind) =>
      DIRECTIONS.map((direction) => {
        const what = `${formatBytes(bytes)} ${kind}`;
        return { name: `${direction} ${what}`, kind, bytes, direction, isQuick: isQuick(what), ...rest };
      }),
    ),
  );
}

/** The ends of a pair by what they do: a server pushes, or takes in. */
export function bySide(pair: Pair, direction: "push" | "ingest"): { sender: AgentProcess; receiver: AgentProcess } {
  return direction === "push"
    ? { sender: pair.server, receiver: pair.client }
    : { sender: pair.client, receiver: pair.server };
}

/** One side sends for the given time, the other receives it all: on one connection, or on several in turn. */
export async function prepareOneWay(
  pair: Pair,
  cell: Cell,
  pace: Pace,
  options: { isThroughTransform?: boolean; burst?: number } = {},
): Promise<Rounds> {
  const { kind, bytes, connections = 1 } = cell;
  const spec = { kind, bytes };
  const { sender, receiver } = bySide(pair, cell.direction ?? "push");
  await pair.connect(connections);
  await receiver.ask("receive", { ...spec, isThroughTransform: options.isThroughTransform });

  async function run(milliseconds: number, isThorough: boolean, isProfiled: boolean): Promise<Sample> {
    await receiver.ask("expect", isThorough);
    await markBoth(pair, isProfiled);
    const { sent } = await sender.ask("send", { ...spec, milliseconds, burst: options.burst });
    const result = await receiver.ask("received", sent);
    const usage = await readUsage(pair, sent);
    requireIntact(result, sent);
    return { value: (result.received / result.elapsedMs) * 1000, ...usage };
  }
  return {
    async warmUp() {
      await run(pace.warmUpMs, true, false);
    },
    measure: (isProfiled) => run(pace.milliseconds, false, isProfiled),
  };
}

/** One way, one connection. */
export const oneWay: Scenario = {
  name: "one-way",
  title: "One way on one connection: push is server to client, ingest client to server (masked)",
  unit: "messages/s",
  better: "higher",
  cells: createCells(SIZES, KINDS, (what) => QUICK.has(what), {}),
  excludes(peer, cell) {
    if (peer.name === "net" && cell.kind !== "binary") return "raw sockets know no text";
    return undefined;
  },
  prepare: prepareOneWay,
};

/** The same under TLS. */
export const oneWayTls: Scenario = {
  ...oneWay,
  name: "tls",
  quickPeers: ["net", "sluice", "ws"],
  title: "One way under TLS 1.3",
  cells: createCells([125, 16_384, 1_048_576], ["binary"], (what) => what.startsWith("16"), { isEncrypted: true }),
  excludes(peer, cell) {
    if (peer.client === "deno") return "its client takes no certificate of ours";
    return oneWay.excludes(peer, cell);
  },
};

/** Compressed, with context takeover both ways. */
export const deflate: Scenario = {
  ...oneWay,
  name: "deflate",
  quickPeers: ["sluice", "ws"],
  title: "permessage-deflate on JSON, one way, context taken over, no threshold",
  cells: createCells([100, 1024, 16_384], ["json"], (what) => what.startsWith("1 "), {}),
  isDeflated: true,
  excludes(peer) {
    if (peer.name === "net") return "raw sockets do not compress";
    if (peer.client === "undici-stream" || peer.client === "undici")
      return "its client does not compress what it sends";
    if (["websocket", "faye-websocket", "deno"].includes(peer.server)) return "it has no compression of its own";
    return undefined;
  },
};

/** Through a TransformStream into a WritableStream; Node's streams where a library has those. */
export const pipe: Scenario = {
  ...oneWay,
  name: "pipe",
  quickPeers: ["sluice", "undici-stream"],
  title: "Push through readable.pipeThrough(TransformStream).pipeTo(WritableStream)",
  cells: createCells([125, 16_384], ["binary"], (what) => what.startsWith("125"), {}).filter(
    ({ direction }) => direction === "push",
  ),
  excludes(peer) {
    const hasStreams = ["sluice", "sluice-pooled", "base", "ws-stream", "undici-stream", "deno"].includes(peer.client);
    return hasStreams ? undefined : "it has no streams";
  },
  prepare: (pair, cell, pace) => prepareOneWay(pair, cell, pace, { isThroughTransform: true }),
};

/** Messages of a burst: what one connection sends at a time when many share the work. */
const BURST = 64;

/** The same total work on more and more connections. */
export const connections: Scenario = {
  ...oneWay,
  name: "connections",
  quickPeers: ["sluice", "ws"],
  title: `125 B text in bursts of ${BURST}, in turn on 1 to 1,000 connections: the same total work`,
  cells: DIRECTIONS.flatMap((direction) =>
    [1, 10, 100, 1000].map((count) => ({
      name: `${direction} ${count} connections`,
      kind: "ascii" as const,
      bytes: 125,
      direction,
      connections: count,
      isQuick: direction === "ingest" && (count === 1 || count === 1000),
    })),
  ),
  excludes: (peer) => (peer.name === "net" ? "raw sockets know no text" : undefined),
  async prepare(pair, cell, pace) {
    const { kind, bytes, connections: count = 1, direction = "push" } = cell;
    const { sender, receiver } = bySide(pair, direction);
    await pair.connect(count);
    await receiver.ask("receive", { kind, bytes });
    const run = async (limit: number, isThorough: boolean, isProfiled: boolean): Promise<Sample> => {
      await receiver.ask("expect", isThorough);
      await markBoth(pair, isProfiled);
      const { sent } = await sender.ask("send", { kind, bytes, limit, burst: BURST });
      const result = await receiver.ask("received", sent);
      const usage = await readUsage(pair, sent);
      requireIntact(result, sent);
      return { value: (result.received / result.elapsedMs) * 1000, ...usage };
    };
    const total = pace.isQuick ? 128_000 : 512_000;
    return {
      async warmUp() {
        await run(total, true, false);
      },
      measure: (isProfiled) => run(total, false, isProfiled),
    };
  },
};
