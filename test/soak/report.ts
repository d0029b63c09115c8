import { availableParallelism } from "node:os";
import type { Check } from "./checks.ts";
import { heldBounds } from "./held-bounds.ts";
import type { SoakOptions } from "./options.ts";
import type { Measurement } from "./record.ts";
import type { SoakOutcome } from "./run.ts";

/** Faults that are shown in full. */
const SHOWN_FAULTS = 30;

/** The report for people; docs/soak.md explains it. */
export function createReport(options: SoakOptions, outcome: SoakOutcome, checks: readonly Check[]): string {
  const { record } = outcome;
  const failed = checks.filter(({ isOk }) => !isOk);
  const lines = [
    `Soak: ${options.connections} connections, ${(record.ranMs / 60_000).toFixed(2)} minutes, seed ${options.seed}, ` +
      `Node ${process.versions.node}, ${process.platform}, ${availableParallelism()} cores`,
    "",
    ...describeTraffic(outcome),
    "",
    ...checks.map(({ name, isOk, text }) => `${isOk ? "ok    " : "FAILED"}  ${name}${text === "" ? "" : `: ${text}`}`),
    "",
    ...record.faults.slice(0, SHOWN_FAULTS).map(({ category, text }) => `${category}: ${text}`),
  ];
  if (record.faults.length > SHOWN_FAULTS) lines.push(`and ${record.faults.length - SHOWN_FAULTS} faults more`);
  lines.push(failed.length === 0 ? "Passed" : `Failed: ${failed.map(({ name }) => name).join("; ")}`);
  return lines.join("\n");
}

/** As a test runner's results, which `.ci/run` counts, and every measurement, for those who want to draw them. */
export function createResults({ record }: SoakOutcome, checks: readonly Check[]): object {
  const failed = checks.filter(({ isOk }) => !isOk).length;
  const { server, client } = record;
  return {
    numPassedTests: checks.length - failed,
    numFailedTests: failed,
    testResults: [],
    checks,
    measurements: { server: server.measurements, client: client.measurements },
  };
}

function describeTraffic({ record, ledger: { counts } }: SoakOutcome): string[] {
  const after = record.atRestAfter;
  const lines = [
    `sessions     ${counts.sessions}: ${counts.agreed} ended by agreement, ${counts.hasty} in haste, ${counts.killed} by a ` +
      `destroyed socket, ${counts.widowed} with their process (${record.kills} times kill -9)`,
    `messages     ${counts.acknowledged} acknowledged, ${counts.received} received and checked, ${counts.tails} in ` +
      `unfinished tails of connections that were killed or given up`,
    `payload      ${(counts.bytes / 1e6).toFixed(0)} MB`,
  ];
  if (after === null) return lines;
  const { traffic } = after;
  const codes: Record<string, number> = {};
  for (const { closesByCode } of traffic.metrics) {
    for (const [code, count] of Object.entries(closesByCode)) codes[code] = (codes[code] ?? 0) + count;
  }
  lines.push(
    `kinds        ${toList(traffic.openedByKind)}`,
    `server       closes by code: ${toList(codes)}; bytes read ${toMB(after, "bytesReceived")}, written ${toMB(after, "bytesSent")}`,
    `held most    by one connection of the server: ${toKiB(traffic.heldIn)} in, ${toKiB(traffic.heldOut)} out; bounds ` +
      `${toKiB(heldBounds("plain").in)} (with credit ${toKiB(heldBounds("credit").in)}) and ${toKiB(heldBounds("plain").out)}`,
  );
  return lines;
}

function toList(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

function toMB({ traffic }: Measurement, name: "bytesReceived" | "bytesSent"): string {
  return `${(traffic.metrics.reduce((total, metrics) => total + metrics[name], 0) / 1e6).toFixed(0)} MB`;
}

function toKiB(bytes: number): string {
  return `${(bytes / 1024).toFixed(0)} KiB`;
}
