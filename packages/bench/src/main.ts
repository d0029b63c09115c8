import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generate } from "selfsigned";
import { type BenchOptions, HELP, readOptions } from "./options.ts";
import { describeMachine } from "./report/machine.ts";
import { drawRun } from "./report/plot.ts";
import { drawProfiles } from "./report/profiles.ts";
import type { CellResult, RunResult, ScenarioResult } from "./report/results.ts";
import { formatCell, formatTargets } from "./report/table.ts";
import { describeEnd } from "./runner/peers.ts";
import { runCell } from "./runner/run-cell.ts";
import { findRuntime } from "./runner/runtimes.ts";
import { copyBuild, copyOwnBuild } from "./runner/sluice-build.ts";
import { judge } from "./targets.ts";

const resultsFolder = fileURLToPath(new URL("../results/", import.meta.url));

/** Runs what was asked for, prints each cell as it is done, and keeps the whole. */
async function bench(options: BenchOptions): Promise<void> {
  const { isQuick, milliseconds, node, peers, rounds } = options;
  const runtime = findRuntime(node);
  if ("problem" in runtime) throw new Error(runtime.problem);
  const { private: key, cert } = await generate([{ name: "commonName", value: "127.0.0.1" }], {
    extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }],
  });
  const surroundings = {
    node,
    sluice: options.build === undefined ? copyOwnBuild() : copyBuild(options.build),
    base: options.base === undefined ? undefined : copyBuild(options.base),
    tls: { key, cert },
  };
  const machine = describeMachine();
  console.log(`${machine.processor}, ${machine.cores} cores, ${machine.system}, load before ${machine.loadBefore}`);
  console.log(`Node ${runtime.version}, commit ${machine.commit}, ${rounds} rounds of ${milliseconds} ms\n`);
  const described = Object.fromEntries(
    peers.map(({ name, title, server, client }) => [
      name,
      { title, server: describeEnd(server, node), client: describeEnd(client, node) },
    ]),
  );
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true });

  const scenarios: ScenarioResult[] = [];
  for (const scenario of options.scenarios) {
    const cells: CellResult[] = [];
    const { name, title, unit, better } = scenario;
    const result = { name, title, unit, better, cells };
    const wanted = scenario.cells.filter((cell) => (cell.isQuick || !isQuick) && options.isCellWanted(cell.name));
    const { quickPeers } = scenario;
    const isAsked = isQuick && !options.hasOwnPeers && quickPeers !== undefined;
    const measured = isAsked ? peers.filter((peer) => quickPeers.includes(peer.name)) : peers;
    if (wanted.length > 0) console.log(`\n${title}\n`);
    for (const cell of wanted) {
      const profilePrefix = options.profile && join(options.profile, `${name}-${cell.name}`.replaceAll(/\W+/g, "-"));
      const plan = { rounds, milliseconds, warmUpMs: Math.max(milliseconds, isQuick ? 250 : 1000), isQuick };
      const outcomes = await runCell(scenario, cell, measured, { ...surroundings, profilePrefix }, plan);
      cells.push({ cell, outcomes });
      console.log(`${formatCell(result, { cell, outcomes })}\n`);
    }
    if (cells.length > 0) scenarios.push(result);
  }

  const run: RunResult = {
    date: new Date().toISOString(),
    command: `pnpm bench ${process.argv.slice(2).join(" ")}`.trim(),
    machine,
    rounds,
    milliseconds,
    peers: described,
    scenarios,
  };
  const targets = judge(run, Number(runtime.version.replace(/^v(\d+).*/, "$1")));
  if (targets.length > 0) console.log(`${formatTargets(targets)}\n`);
  if (options.profile !== undefined) await drawProfiles(options.profile);
  if (options.isSaved) await save(run, targets, `${node}${isQuick ? "-quick" : ""}`);
}

async function save(run: RunResult, targets: ReturnType<typeof judge>, suffix: string): Promise<void> {
  mkdirSync(resultsFolder, { recursive: true });
  const path = join(resultsFolder, `${run.date.slice(0, 19).replaceAll(/[:T]/g, "-")}-node-${suffix}`);
  const judged = targets.map(({ target, limit, measured, cell, isMet }) => {
    const { title, ours, theirs } = target;
    return { title, ours, theirs, limit, measured, cell, isMet };
  });
  writeFileSync(`${path}.json`, `${JSON.stringify({ ...run, targets: judged }, null, 1)}\n`);
  writeFileSync(`${path}.svg`, await drawRun(run));
  console.log(`Kept as ${path}.json and .svg`);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === null) console.log(HELP);
  else await bench(options);
} catch (error) {
  console.error(error instanceof RangeError ? error.message : error);
  process.exitCode = 1;
}
