// How large each entry is, kept in git so that a change to it is seen in review.
// `pnpm sizes` writes packages/sluice/size-report.json; with --check any difference is a failure.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { gzipSync } from "fflate";
import { root } from "./run.mjs";

const folder = `${root}packages/sluice/`;
const reportPath = `${folder}size-report.json`;
const { exports } = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));

/** @type {Record<string, { raw: number, min: number, minGzip: number }>} */
const report = {};
for (const [name, { default: file }] of Object.entries(exports)) {
  const raw = await measure(file, false);
  const min = await measure(file, true);
  report[name.replace(".", "sluice")] = {
    raw: raw.length,
    min: min.length,
    minGzip: gzip(min).length,
  };
}

const text = `${JSON.stringify(report, null, 2)}\n`;
const previous = existsSync(reportPath) ? readFileSync(reportPath, "utf8") : "{}";
console.log("Bytes of each entry with everything it imports:");
console.table(report);
if (!process.argv.includes("--check")) writeFileSync(reportPath, text);
else if (text !== previous) {
  console.error("The sizes differ from packages/sluice/size-report.json, which says:");
  console.table(JSON.parse(previous));
  console.error("If they should, run `pnpm sizes` and commit the report with the change");
  process.exitCode = 1;
}

/**
 * One built entry and its chunks as a single file, as an application that uses all of it would load it.
 *
 * @param {string} file
 * @param {boolean} minify
 */
async function measure(file, minify) {
  const { outputFiles } = await build({
    entryPoints: [file],
    absWorkingDir: folder,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    legalComments: "none",
    write: false,
    // It says of each import of a chunk that has no side effects that it leaves it out.
    logLevel: "error",
    minify,
  });
  return outputFiles[0].contents;
}

/**
 * Not by node:zlib, whose output differs between versions of Node and between processors.
 *
 * @param {Uint8Array} bytes
 */
function gzip(bytes) {
  return gzipSync(bytes, { level: 9, mtime: 0 });
}
