import type { PayloadKind } from "./agent/payloads.ts";
import { getSamples, type RunResult } from "./report/results.ts";
import { median, medianRatio } from "./report/statistics.ts";
import type { Cell, Sample } from "./scenarios/scenario.ts";

/*
 * What the library sets out to reach, in figures. A ratio is the median of the ratios inside each round. A target over several
 * cells is met if each of them is; the one that is farthest off is shown.
 */

/** A limit on a ratio, or on a figure of ours. */
export interface Target {
  readonly title: string;
  readonly scenario: string;
  readonly isCell: (cell: Cell) => boolean;
  readonly ours: string;
  /** The peer to divide by; a function for a comparison with ourselves; undefined for a figure as it is. */
  readonly theirs?: string;
  /** Compares with the same peer's samples in this cell of the scenario. */
  readonly ownCell?: (cell: Cell) => boolean;
  readonly read?: (sample: Sample) => number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** What came of a target in a run. */
export interface TargetOutcome {
  readonly target: Target;
  /** The limit that applied. */
  readonly limit: number;
  /** NaN if it was not measured. */
  readonly measured: number;
  readonly cell: string;
  readonly isMet: boolean | undefined;
}

/** On Node 20 a ratio to `ws` need only be this share of the one on later lines. */
const SHARE_ON_NODE_20 = 0.75;

const isOneWay =
  (sizes: number[], kinds: PayloadKind[], direction?: "push" | "ingest") =>
  (cell: Cell): boolean =>
    sizes.includes(cell.bytes) &&
    kinds.includes(cell.kind) &&
    (direction === undefined || cell.direction === direction);

const isSmall = (cell: Cell): boolean =>
  isOneWay([32], ["binary"])(cell) || isOneWay([32, 125], ["ascii", "multibyte"])(cell);
const isLarge = (direction: "push" | "ingest") => isOneWay([65_536, 1_048_576], ["binary"], direction);
const isEvery = (): boolean => true;

const SMALL = "one way, 32 B binary and 32-125 B text";
const inCell = { scenario: "one-way", ours: "sluice" };

/** All targets, in the order in which they are printed. */
export const TARGETS: readonly Target[] = [
  { ...inCell, title: SMALL, isCell: isSmall, theirs: "ws", atLeast: 8 },
  { ...inCell, title: SMALL, isCell: isSmall, theirs: "ws-cork", atLeast: 1.8 },
  { ...inCell, title: SMALL, isCell: isSmall, theirs: "undici-stream", atLeast: 20 },
  { ...inCell, title: SMALL, isCell: isSmall, theirs: "deno", atLeast: 20 },
  { ...inCell, title: SMALL, isCell: isSmall, theirs: "bun", atLeast: 1 },
  { ...inCell, title: "one way, 125 B binary", isCell: isOneWay([125], ["binary"]), theirs: "ws", atLeast: 2.5 },
  {
    ...inCell,
    ours: "sluice-pooled",
    title: "one way, 125 B binary, pooled chunks",
    isCell: isOneWay([125], ["binary"]),
    theirs: "ws",
    atLeast: 8,
  },
  {
    ...inCell,
    ours: "sluice-facade",
    title: "WebSocket with onmessage, 32-125 B",
    isCell: isOneWay([32, 125], ["binary", "ascii", "multibyte"], "push"),
    theirs: "ws",
    atLeast: 3,
  },
  { ...inCell, title: "64 KiB and 1 MiB, server to client", isCell: isLarge("push"), theirs: "ws", atLeast: 1 },
  { ...inCell, title: "64 KiB and 1 MiB, server to client", isCell: isLarge("push"), theirs: "net", atLeast: 0.75 },
  { ...inCell, title: "64 KiB and 1 MiB, client to server", isCell: isLarge("ingest"), theirs: "ws", atLeast: 3 },
  { ...inCell, title: "64 KiB and 1 MiB, client to server", isCell: isLarge("ingest"), theirs: "net", atLeast: 0.75 },
  {
    title: "echo, one in flight, p50",
    scenario: "latency",
    isCell: ({ bytes }) => bytes <= 125,
    ours: "sluice",
    theirs: "ws",
    atMost: 1.05,
  },
  {
    title: "echo, one in flight, p99",
    scenario: "latency",
    isCell: ({ bytes }) => bytes <= 125,
    ours: "sluice",
    theirs: "ws",
    read: ({ more }) => more?.p99 ?? Number.NaN,
    atMost: 1.05,
  },
  {
    title: "echo, one in flight, p50",
    scenario: "latency",
    isCell: ({ bytes }) => bytes <= 125,
    ours: "sluice",
    theirs: "net",
    atMost: 1.4,
  },
  {
    title: "pipelined echo, 64 connections, 125 B text",
    scenario: "echo",
    isCell: ({ connections, kind }) => connections === 64 && kind === "ascii",
    ours: "sluice",
    theirs: "ws",
    atLeast: 4,
  },
  ...(["push", "ingest"] as const).map((direction) => ({
    title: `${direction}: processor time a message, 1,000 connections to 1`,
    scenario: "connections",
    isCell: (cell: Cell) => cell.connections === 1000 && cell.direction === direction,
    ours: "sluice",
    ownCell: (cell: Cell) => cell.connections === 1 && cell.direction === direction,
    read: (sample: Sample) => (sample.cpuServer ?? Number.NaN) + (sample.cpuClient ?? Number.NaN),
    atMost: 1.5,
  })),
  {
    title: "broadcast of 1 KiB to 1,000",
    scenario: "broadcast",
    isCell: ({ connections }) => connections === 1000,
    ours: "sluice",
    theirs: "ws",
    atLeast: 2,
  },
  { title: "handshakes per second", scenario: "handshakes", isCell: isEvery, ours: "sluice", theirs: "ws", atLeast: 1 },
  {
    title: "resident bytes per idle connection",
    scenario: "idle",
    isCell: isEvery,
    ours: "sluice",
    theirs: "ws",
    atMost: 1,
  },
  {
    title: "slow consumer: share of its rate",
    scenario: "slow-consumer",
    isCell: isEvery,
    ours: "sluice",
    read: ({ more }) => more?.["share of the rate"] ?? Number.NaN,
    atLeast: 0.95,
  },
  {
    // The published bound: the queue, one message in assembly, 128 KiB.
    title: "slow consumer: bytes held by the receiver",
    scenario: "slow-consumer",
    isCell: isEvery,
    ours: "sluice",
    read: ({ more }) => more?.["B held in by the receiver"] ?? Number.NaN,
    atMost: 65_536 + 65_536 + 131_072,
  },
  {
    // The published bound: the queue, one message, the send limit, 256 KiB.
    title: "slow consumer: bytes held by the sender",
    scenario: "slow-consumer",
    isCell: isEvery,
    ours: "sluice",
    read: ({ more }) => more?.["B held out by the sender"] ?? Number.NaN,
    atMost: 65_536 + 65_536 + 65_536 + 262_144,
  },
  {
    title: "permessage-deflate, 100 B and 1 KiB JSON",
    scenario: "deflate",
    isCell: ({ bytes }) => bytes <= 1024,
    ours: "sluice",
    theirs: "ws",
    atLeast: 4,
  },
  {
    title: "bytes read after the reader stopped and the queue is full",
    scenario: "stop-reading",
    isCell: isEvery,
    ours: "sluice",
    atMost: 0,
  },
];

/** Compares a run with the targets. Those of which it measured nothing are left out. */
export function judge(run: RunResult, nodeLine: number): TargetOutcome[] {
  return TARGETS.flatMap((target) => {
    const scenario = run.scenarios.find(({ name }) => name === target.scenario);
    const outcomes = (scenario?.cells ?? [])
      .filter(({ cell }) => target.isCell(cell))
      .map((result): TargetOutcome => {
        const read = target.read ?? (({ value }: Sample) => value);
        const ours = getSamples(result, target.ours).map(read);
        const base =
          target.ownCell === undefined
            ? getSamples(result, target.theirs ?? target.ours)
            : getSamples(
                scenario?.cells.find(({ cell }) => target.ownCell?.(cell)),
                target.ours,
              );
        const isRatio = target.theirs !== undefined || target.ownCell !== undefined;
        const measured = isRatio ? medianRatio(ours, base.map(read)) : median(ours);
        const limit = getLimit(target, nodeLine);
        const isMet = target.atLeast === undefined ? measured <= limit : measured >= limit;
        return { target, limit, measured, cell: result.cell.name, isMet: Number.isNaN(measured) ? undefined : isMet };
      });
    const worst = outcomes
      .filter(({ isMet }) => isMet !== undefined)
      .toSorted((a, b) => (target.atLeast === undefined ? b.measured - a.measured : a.measured - b.measured))[0];
    return worst === undefined ? outcomes.slice(0, 1) : [worst];
  });
}

function getLimit(target: Target, nodeLine: number): number {
  const { atLeast, atMost = 0 } = target;
  const share = nodeLine < 22 && target.theirs === "ws" ? SHARE_ON_NODE_20 : 1;
  return atLeast === undefined ? atMost / share : atLeast * share;
}
