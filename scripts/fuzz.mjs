// `pnpm fuzz`: looks for inputs that break a promise of test/hostile/fuzz/targets.ts, until the time is over.
//
//   pnpm fuzz [--seconds 60] [--seed 1] [--target frames] [--keep]
//
// Sets out from the corpus, and follows the inputs that reach code which no other reached (V8's own block coverage). `--keep` adds
// those to the corpus. An input that breaks something is added in any case, and then fails `npm test` until it is mended.
import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { root, say } from "./run.mjs";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    target: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
if (!(seconds > 0) || !Number.isSafeInteger(seed)) {
  console.error("Usage: pnpm fuzz [--seconds 60] [--seed 1] [--target frames] [--keep]");
  process.exit(2);
}

// Into a folder below the root, so that the bundle finds what it imports; in one file, so that coverage is of one script.
const folder = join(root, ".results", "fuzz");
mkdirSync(folder, { recursive: true });
const bundle = join(folder, `targets-${process.pid}.mjs`);
await build({
  stdin: {
    contents: `
      export { TARGETS, TEXT_TARGETS } from "./targets.ts";
      export { readCorpus } from "./corpus.ts";
      export { mutate } from "./mutate.ts";
      export { randomOf } from "../random.ts";`,
    resolveDir: join(root, "test/hostile/fuzz"),
    loader: "ts",
  },
  outfile: bundle,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  sourcemap: "inline",
  logLevel: "warning",
});
process.setSourceMapsEnabled(true);
const { TARGETS, TEXT_TARGETS, readCorpus, mutate, randomOf } = await import(pathToFileURL(bundle).href);
rmSync(bundle);

const session = new Session();
session.connect();
/**
 * @param {"Profiler.enable" | "Profiler.startPreciseCoverage" | "Profiler.takePreciseCoverage"} method
 * @param {object} [parameters]
 * @returns {Promise<any>}
 */
const ask = (method, parameters = {}) =>
  new Promise((resolve, reject) => {
    session.post(
      /** @type {any} */ (method),
      parameters,
      (/** @type {Error | null} */ error, /** @type {any} */ result) => (error ? reject(error) : resolve(result)),
    );
  });
await ask("Profiler.enable");
// Without counts V8 tells of each block once, when it was first reached.
await ask("Profiler.startPreciseCoverage", { callCount: false, detailed: true });

/** @type {Set<string>} */
const reached = new Set();
/** Whether code was reached since the last call that never was before. */
async function hasReachedMore() {
  const before = reached.size;
  const { result } = await ask("Profiler.takePreciseCoverage");
  for (const { url, functions } of result) {
    if (!url.endsWith(".mjs") || !url.includes("targets-")) continue;
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        if (count > 0) reached.add(`${startOffset}-${endOffset}`);
      }
    }
  }
  return reached.size > before;
}

/**
 * @param {string} target
 * @param {Uint8Array} input
 */
function keep(target, input) {
  const name = createHash("sha1").update(input).digest("hex").slice(0, 12);
  const isText = TEXT_TARGETS.includes(target);
  const path = join("test/hostile/corpus", target, `${name}.${isText ? "txt" : "hex"}`);
  const hex = Buffer.from(input)
    .toString("hex")
    .replace(/(.{64})/g, "$1\n");
  writeFileSync(join(root, path), isText ? input : `${hex.trimEnd()}\n`);
  return path;
}

const names = values.target === undefined ? Object.keys(TARGETS) : [values.target];
const random = randomOf(seed);
/** @type {Map<string, Uint8Array[]>} */
const pools = new Map();
for (const name of names) {
  const inputs = readCorpus(name, join(root, "test/hostile/corpus")).map(
    (/** @type {{ bytes: Uint8Array }} */ entry) => entry.bytes,
  );
  for (const input of inputs) await TARGETS[name](input);
  pools.set(name, inputs);
}
await hasReachedMore();
say(`Fuzzing ${names.join(", ")} for ${seconds} s, seed ${seed}; the corpus reaches ${reached.size} blocks`);

const endMs = performance.now() + seconds * 1_000;
let runs = 0;
let found = 0;
let failures = 0;
while (performance.now() < endMs && failures < 10) {
  const name = /** @type {string} */ (names[runs++ % names.length]);
  const pool = /** @type {Uint8Array[]} */ (pools.get(name));
  const pick = () => /** @type {Uint8Array} */ (pool[Math.floor(random() * pool.length)]);
  const input = mutate(pick(), pick(), random);
  try {
    await TARGETS[name](input);
  } catch (error) {
    failures++;
    console.error(`\n${keep(name, input)} breaks ${name}:`, error);
    continue;
  }
  if (!(await hasReachedMore())) continue;
  pool.push(input);
  found++;
  if (values.keep) console.log(`${keep(name, input)} reaches more: ${reached.size} blocks`);
}
say(`${runs} inputs, ${found} of them reached more (${reached.size} blocks), ${failures} broke something`);
process.exitCode = failures > 0 ? 1 : 0;
session.disconnect();
