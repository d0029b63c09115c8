// `pnpm ok`: every check there is, one after the other. Goes on after a failure, so that one run shows all of them.
import { mkdirSync, rmSync } from "node:fs";
import { delimiter } from "node:path";
import { root, run, say } from "./run.mjs";

// Test results as JSON, for `.ci/run` to count.
const results = (/** @type {string} */ name) => [
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=.results/${name}.json`,
];

/** @type {readonly (readonly [title: string, command: string, ...args: string[]])[]} */
const steps = [
  ["Format and lint", "biome", "check", "--error-on-warnings", "."],
  ["Types", "tsc", "--noEmit", "-p", "tsconfig.json"],
  ["Build", "node", "scripts/build-all.mjs"],
  ["API report", "node", "scripts/api.mjs", "--check"],
  ["Sizes", "node", "scripts/sizes.mjs", "--check"],
  ["Sizes of the page's scripts", "node", "packages/polyfill/sizes.mjs", "--check"],
  [
    "Protocol tests, every branch covered",
    "vitest",
    "run",
    "--config",
    "vitest.protocol.config.ts",
    ...results("protocol"),
  ],
  // Among them: the layers, the documentation's examples, the packed package.
  ["All other tests", "vitest", "run", "--exclude", "packages/sluice/src/protocol/**", ...results("tests")],
];

rmSync(`${root}.results`, { recursive: true, force: true });
mkdirSync(`${root}.results`);
const env = { ...process.env, PATH: `${root}node_modules/.bin${delimiter}${process.env.PATH}` };
const outcomes = [];
for (const [title, command, ...args] of steps) {
  say(title);
  const startedMs = performance.now();
  const code = await run(command, args, { env });
  outcomes.push({ title, code, seconds: ((performance.now() - startedMs) / 1000).toFixed(1) });
}

say("Summary");
for (const { title, code, seconds } of outcomes) {
  console.log(`${code === 0 ? "ok    " : "FAILED"}  ${title} (${seconds} s)`);
}
process.exitCode = outcomes.some(({ code }) => code !== 0) ? 1 : 0;
