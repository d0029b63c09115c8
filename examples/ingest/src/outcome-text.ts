import { colors as pc } from "./colors.ts";
import { formatCount, formatSeconds } from "./format.ts";
import type { Outcome } from "./snapshot.ts";

/** The proof, and what it says. */
export function formatOutcome(outcome: Outcome): string {
  const { checks, elapsedMs, wasStopped, databasePath, final } = outcome;
  const widths = { name: widest(checks, "name"), found: widest(checks, "found") };
  const lines = checks.map(({ name, isMet, found, expected }) => {
    const mark = isMet ? pc.green("✓") : pc.red("✗");
    const text = `${name.padEnd(widths.name)}  ${found.padStart(widths.found)}   ${pc.dim(expected)}`;
    return ` ${mark} ${isMet ? text : pc.red(text)}`;
  });
  const isProved = checks.every((check) => check.isMet);
  const how = `${formatCount(final.recordsStored)} records in ${formatSeconds(elapsedMs)}`;
  const verdict = isProved
    ? pc.green(pc.bold(wasStopped ? `Stopped, and consistent: ${how}` : `Proved: ${how}`))
    : pc.red(pc.bold(`Not proved: ${checks.filter((check) => !check.isMet).length} of ${checks.length} checks failed`));
  return ["", ` ${pc.bold("Proof")}`, ...lines, "", ` ${verdict}`, ...toHint(databasePath)].join("\n");
}

function toHint(databasePath: string | null): string[] {
  return databasePath === null ? [] : [` The table departures is in ${databasePath}`];
}

function widest(checks: Outcome["checks"], field: "name" | "found"): number {
  return Math.max(0, ...checks.map((check) => check[field].length));
}
