// How large each bundle is, kept in git so that a change to it is seen in review: writes size-report.json; with --check any
// difference is a failure, and so is a page's script above its budget.
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { gzipSync } from "fflate";
import { bundleOptions, bundles } from "./bundle.mjs";

/** Of the bundles without streams, minified and compressed, in bytes. */
const BUDGET = 12_800;

process.chdir(import.meta.dirname);
/** @type {Record<string, { min: number, minGzip: number }>} */
const report = {};
for (const name of /** @type {(keyof typeof bundles)[]} */ (Object.keys(bundles))) {
  const { outputFiles } = await build({ ...bundleOptions(name), sourcemap: false });
  const { contents } = outputFiles[0];
  const minGzip = gzipSync(contents, { level: 9, mtime: 0 }).length;
  report[name] = { min: contents.length, minGzip };
  if (bundles[name].hasStreams || minGzip <= BUDGET) continue;
  console.error(`${name} is above its budget of ${BUDGET} bytes`);
  process.exitCode = 1;
}
console.table(report);
const text = `${JSON.stringify(report, null, 2)}\n`;
if (!process.argv.includes("--check")) writeFileSync("size-report.json", text);
else if (text !== readFileSync("size-report.json", "utf8")) {
  console.error("The sizes differ from size-report.json. If they should, run sizes.mjs and commit it with the change");
  process.exitCode = 1;
}
