import Table from "cli-table3";
import type { TargetOutcome } from "../targets.ts";
import type { CellResult, ScenarioResult } from "./results.ts";
import { median, medianRatio, spread } from "./statistics.ts";

/** The peer that all others are compared with in tables. */
const REFERENCE = "ws";

/** One cell as a table: best first, then what was not measured and why. */
export function formatCell(scenario: ScenarioResult, result: CellResult): string {
  const { cell, outcomes } = result;
  const reference = outcomes[REFERENCE];
  const measured = Object.entries(outcomes).flatMap(([peer, outcome]) => {
    if (!("samples" in outcome)) return [];
    const { samples } = outcome;
    const values = samples.map(({ value }) => value);
    return [{ peer, samples, values, value: median(values) }];
  });
  measured.sort((a, b) => (scenario.better === "higher" ? b.value - a.value : a.value - b.value));
  const further = Object.keys(measured.find(({ samples }) => samples[0].more)?.samples[0].more ?? {});
  const hasUsage = measured.some(({ samples }) => samples[0].cpuServer !== undefined);
  const isBulk = scenario.unit === "messages/s" && cell.bytes >= 16_384;
  const table = new Table({
    style: { head: [], border: [], compact: true },
    colAligns: ["left", "right", "right", "right", "right", "right", "right", "right"],
    head: [
      cell.name,
      scenario.unit,
      ...(isBulk ? ["MB/s"] : []),
      "±",
      `to ${REFERENCE}`,
      ...(hasUsage ? ["cpu s/M server", "cpu s/M client", "MB server", "MB client"] : []),
      ...further,
    ],
  });
  for (const { peer, samples, values, value } of measured) {
    const middle = (read: (sample: (typeof samples)[number]) => number | undefined): number =>
      median(samples.map((sample) => read(sample) ?? Number.NaN));
    const base =
      reference !== undefined && "samples" in reference ? reference.samples.map((sample) => sample.value) : [];
    table.push([
      peer,
      formatNumber(value),
      ...(isBulk ? [formatNumber((value * cell.bytes) / 1e6)] : []),
      values.length > 1 ? `${Math.round(spread(values) * 100)} %` : "",
      formatNumber(medianRatio(values, base)),
      ...(hasUsage
        ? [
            formatNumber(middle(({ cpuServer }) => cpuServer)),
            formatNumber(middle(({ cpuClient }) => cpuClient)),
            formatNumber(middle(({ rssServer }) => rssServer) / 1e6),
            formatNumber(middle(({ rssClient }) => rssClient) / 1e6),
          ]
        : []),
      ...further.map((name) => formatNumber(middle(({ more }) => more?.[name]))),
    ]);
  }
  const missing = Object.entries(outcomes).flatMap(([peer, outcome]) =>
    "problem" in outcome ? [`  ${peer}: not measured, ${outcome.problem.split("\n")[0]}`] : [],
  );
  return [table.toString(), ...missing].join("\n");
}

/** The targets, and which are met. */
export function formatTargets(outcomes: readonly TargetOutcome[]): string {
  const table = new Table({
    style: { head: [], border: [], compact: true },
    colAligns: ["left", "left", "left", "right", "right", "left"],
    head: ["target", "ours", "against", "limit", "measured", "", "in"],
  });
  for (const { target, limit, measured, isMet, cell } of outcomes) {
    table.push([
      target.title,
      target.ours,
      target.theirs ?? (target.ownCell === undefined ? "" : "itself"),
      `${target.atLeast === undefined ? "≤" : "≥"} ${formatNumber(limit)}`,
      formatNumber(measured),
      isMet === undefined ? "not measured" : isMet ? "met" : "MISSED",
      cell,
    ]);
  }
  return table.toString();
}

/** Three digits that matter, and thousands apart. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  const digits = size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 4;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits, minimumFractionDigits: digits });
}
