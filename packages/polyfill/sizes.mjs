// How large each bundle is, kept in git so that a change to it is seen in review: writes size-report.json; with --check any
// difference is a failure, and so is a page's script above its budget.
import { readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";
import { gzipSync } from "fflate";
import { bundle, bundleOptions, bundles } from "./bundle.mjs";

/** Of the bundles without streams, minified and compressed as servers do it for browsers (brotli), in bytes: 7 KiB. */
const BUDGET = 7_168;

process.chdir(import.meta.dirname);
/** Exact for every release of Node, whose own compression is not. @type {Record<string, { min: number, minGzip: number }>} */
const report = {};
/** @type {Record<string, { min: number, minGzip: number, minBrotli: number }>} */
const table = {};
for (const name of /** @type {(keyof typeof bundles)[]} */ (Object.keys(bundles))) {
  const { code } = await bundle({ ...bundleOptions(name), sourcemap: false });
  const contents = new TextEncoder().encode(`${code}\n//# sourceMappingURL=${name}.map\n`);
  report[name] = { min: contents.length, minGzip: gzipSync(contents, { level: 9, mtime: 0 }).length };
  const minBrotli = brotliCompressSync(contents).length;
  table[name] = { ...report[name], minBrotli };
  if (bundles[name].hasStreams || minBrotli <= BUDGET) continue;
  console.error(`${name} is above its budget of ${BUDGET} bytes`);
  process.exitCode = 1;
}
console.table(table);
const text = `${JSON.stringify(report, null, 2)}\n`;
if (!process.argv.includes("--check")) writeFileSync("size-report.json", text);
else if (text !== readFileSync("size-report.json", "utf8")) {
  console.error("The sizes differ from size-report.json. If they should, run sizes.mjs and commit it with the change");
  process.exitCode = 1;
}
