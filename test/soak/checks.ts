import { FAULT_CHECKS, type Fault } from "./fault.ts";
import { judgeGrowth, MIN_SAMPLES, type Tolerance } from "./growth.ts";
import { KEEP_ALIVE } from "./keep-alive.ts";
import { findLeftHandles } from "./left-handles.ts";
import type { Measurement, RunRecord, WatchedProcess } from "./record.ts";
import type { SoakOutcome } from "./run.ts";

/** One line of the verdict. */
export interface Check {
  readonly name: string;
  readonly isOk: boolean;
  readonly text: string;
}

const MIB = 2 ** 20;

/**
 * What is still noise. Measured behind a full collection, at a number of connections that stays the same; what differs from one
 * moment to the next are messages under way (a text of 1 MiB takes two on the heap), buffers of sockets, and pages that the
 * allocator keeps.
 */
const MEMORY: readonly (readonly [name: "heapUsed" | "external" | "arrayBuffers" | "rss", tolerance: Tolerance])[] = [
  ["heapUsed", { ratio: 0.1, floor: 8 * MIB }],
  ["external", { ratio: 0.15, floor: 24 * MIB }],
  ["arrayBuffers", { ratio: 0.15, floor: 24 * MIB }],
  // In the first minutes the allocator still takes pages that it keeps: from 334 to 363 MiB in a run of two.
  ["rss", { ratio: 0.2, floor: 64 * MIB }],
];
/** Of the most that there were: after a kill it takes a while until as many connections are open as before. */
const ENOUGH_OPEN = 0.9;
/** Of one type. */
const HANDLES: Tolerance = { ratio: 0.1, floor: 50 };
/** Code, caches and pools of the server's process that stay when all connections have gone. */
const AT_REST: Tolerance = { ratio: 0, floor: 24 * MIB };

/** What a run must be longer than a stall for: all connections open and what waited is delivered, also on a busy machine. */
const STALL_MARGIN_MS = 45_000;

/** The verdict on a run. */
export function createChecks({ record, ledger }: SoakOutcome): Check[] {
  const { counts } = ledger;
  return [
    { name: "sessions were compared", isOk: counts.sessions > 0, text: `${counts.sessions}` },
    ...checkFaults(record.faults),
    ...checkStalls(record, counts.fullStalls),
    ...[record.server, record.client].flatMap((watched) => checkHeartbeats(watched, record)),
    ...[record.server, record.client].flatMap((watched) => checkGrowth(watched, record.warmUpMs)),
    ...checkRest(record),
  ];
}

function checkFaults(faults: readonly Fault[]): Check[] {
  return [...new Set(Object.values(FAULT_CHECKS))].map((name) => {
    const { length } = faults.filter(({ category }) => FAULT_CHECKS[category] === name);
    return { name, isOk: length === 0, text: length === 0 ? "" : `${length} faults` };
  });
}

/** Only a run that is long enough can tell. */
function checkStalls(record: RunRecord, fullStalls: number): Check[] {
  const { stallMs, stalledConnections } = record;
  if (!hasFullStalls(record)) return [];
  const seconds = Math.round(stallMs / 1_000);
  return [
    {
      name: "stalled connections lived, and delivered everything then",
      isOk: fullStalls >= stalledConnections,
      text: `${fullStalls} stalls of ${seconds} s, ${stalledConnections} at a time`,
    },
  ];
}

/** One in each interval; half of them on a machine that has other work. Answers stand behind the data that nobody reads. */
function checkHeartbeats({ title, measurements }: WatchedProcess, record: RunRecord): Check[] {
  const wanted = Math.floor(record.stallMs / KEEP_ALIVE.intervalMs / 2);
  if (!hasFullStalls(record) || wanted === 0) return [];
  const pings = Math.max(0, ...measurements.map(({ traffic }) => traffic.pings));
  const text = `up to ${pings} Pings on one stalled connection, at least ${wanted}`;
  return [{ name: `${title}: heartbeats went on in the meantime`, isOk: pings >= wanted, text }];
}

function hasFullStalls({ ranMs, stallMs }: RunRecord): boolean {
  return ranMs >= stallMs + STALL_MARGIN_MS;
}

function checkGrowth({ title, measurements }: WatchedProcess, warmUpMs: number): Check[] {
  const enough = ENOUGH_OPEN * Math.max(0, ...measurements.map(({ traffic }) => traffic.open));
  const counted = measurements.filter(({ atMs, traffic }) => atMs >= warmUpMs && traffic.open >= enough);
  if (counted.length < 3 * MIN_SAMPLES) {
    const text = `not judged, as there are only ${counted.length} measurements behind the warm-up with enough connections`;
    return [{ name: `${title}: nothing grew`, isOk: true, text }];
  }
  const checks = MEMORY.map(([name, tolerance]) => {
    const values = counted.map(({ sample }) => sample[name]);
    return toGrowthCheck(`${title}: ${name}`, values, tolerance, toMiB);
  });
  const types = new Set(counted.flatMap(({ sample }) => Object.keys(sample.resources)));
  for (const type of [...types].sort()) {
    const values = counted.map(({ sample }) => sample.resources[type] ?? 0);
    checks.push(toGrowthCheck(`${title}: ${type}`, values, HANDLES, String));
  }
  const pending = counted.map(({ traffic }) => traffic.pending);
  checks.push(toGrowthCheck(`${title}: promises under way`, pending, { ratio: 0.1, floor: 100 }, String));
  return checks;
}

function toGrowthCheck(
  name: string,
  values: readonly number[],
  tolerance: Tolerance,
  format: (value: number) => string,
): Check {
  const { first, last, allowed, hasGrown } = judgeGrowth(values, tolerance);
  const text = `${format(first)} -> ${format(last)}, allowed ${format(Math.round(allowed))}`;
  return { name: `${name} did not grow`, isOk: !hasGrown, text };
}

/** When all connections have gone, nothing of them is left on the server. */
function checkRest({ atRestBefore: before, atRestAfter: after }: RunRecord): Check[] {
  if (before === null || after === null) {
    return [{ name: "the server was measured at rest", isOk: false, text: "it did not answer" }];
  }
  const { metrics, open } = after.traffic;
  const sum = (of: (metrics: Measurement["traffic"]["metrics"][number]) => number): number =>
    metrics.reduce((total, each) => total + of(each), 0);
  const connections = sum((each) => each.connectionsOpen) + open;
  const held = sum((each) => each.heldBytesIn + each.heldBytesOut + each.budgetUsedBytes);
  const total = sum((each) => each.connectionsTotal);
  const closed = sum((each) => each.closesTotal);
  const peak = Math.max(...metrics.map((each) => each.heldBytesPeak));
  const budget = Math.min(...metrics.map((each) => each.budgetBytes));
  const left = findLeftHandles(before.sample, after.sample);
  const heap = after.sample.heapUsed - before.sample.heapUsed;
  return [
    { name: "at rest the server has no connections", isOk: connections === 0, text: `${connections}` },
    { name: "at rest the server holds no bytes", isOk: held === 0, text: `${held}` },
    { name: "at rest the server has the handles of its start", isOk: left.length === 0, text: left.join(", ") },
    {
      name: "at rest the server's heap is small again",
      isOk: heap <= AT_REST.floor,
      text: `${toMiB(before.sample.heapUsed)} -> ${toMiB(after.sample.heapUsed)}, allowed ${toMiB(before.sample.heapUsed + AT_REST.floor)}`,
    },
    { name: "every connection that was opened was closed", isOk: closed === total, text: `${closed} of ${total}` },
    {
      name: "the memory budget was not reached",
      isOk: peak <= budget && sum((each) => each.budgetGivenUp) === 0,
      text: `peak ${toMiB(peak)} of ${toMiB(budget)}`,
    },
  ];
}

function toMiB(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
