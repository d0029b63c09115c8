// Runs the library's tests on every supported line of Node. The binaries are registry packages.
// `node scripts/matrix.mjs 22 24` takes only these lines.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, runOrExit, say } from "./run.mjs";

// The oldest release that `engines` admits, and the newest of each line after it.
/** @type {Readonly<Record<string, string>>} */
const versions = { 20: "20.19.0", 22: "22", 24: "24", 26: "26" };
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(versions);
const suite = ["packages/sluice/src", "test/integration"].filter((path) => existsSync(root + path));

const folder = `${root}.node-matrix/`;
mkdirSync(folder, { recursive: true });
mkdirSync(`${root}.results`, { recursive: true });
await installNodes();

const rows = [];
for (const line of wanted) {
  const node = join(folder, "node_modules", `node-${line}`, "bin", "node");
  const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout?.trim() ?? "missing";
  say(`Tests on Node ${version}`);
  const output = `.results/node-${line}.json`;
  const vitest = "node_modules/vitest/vitest.mjs";
  const code = await run(node, [
    vitest,
    "run",
    "--reporter=dot",
    "--reporter=json",
    `--outputFile.json=${output}`,
    ...suite,
  ]);
  const result = existsSync(root + output) ? JSON.parse(readFileSync(root + output, "utf8")) : {};
  rows.push({
    node: version,
    passed: result.numPassedTests ?? 0,
    failed: result.numFailedTests ?? 0,
    result: code === 0 ? "ok" : "FAILED",
  });
}

say("Node matrix");
console.table(rows);
process.exitCode = rows.every(({ result }) => result === "ok") ? 0 : 1;

/** Puts the binaries under .node-matrix/node_modules/node-<line>/bin/node, once. */
async function installNodes() {
  // The package `node` only picks the package of this platform in an install script; asking for that one needs no script.
  const binary = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const dependencies = Object.fromEntries(wanted.map((line) => [`node-${line}`, `npm:${binary}@${versions[line]}`]));
  const manifest = `${JSON.stringify({ private: true, dependencies }, null, 2)}\n`;
  const isInstalled =
    existsSync(`${folder}node_modules`) &&
    existsSync(`${folder}package.json`) &&
    readFileSync(`${folder}package.json`, "utf8") === manifest;
  if (isInstalled) return;
  say(`Fetching Node ${wanted.join(", ")} (registry package ${binary})`);
  writeFileSync(`${folder}package.json`, manifest);
  await runOrExit("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"], {
    cwd: folder,
  });
}
