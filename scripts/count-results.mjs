// Adds up the tests of every run since the last `pnpm ok` and prints the sum as the last line.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { root } from "./run.mjs";

const folder = `${root}.results/`;
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
let passed = 0;
let failed = 0;
for (const name of files) {
  const result = JSON.parse(readFileSync(folder + name, "utf8"));
  passed += result.numPassedTests;
  failed += result.numFailedTests;
  // A file that cannot even be loaded counts as one failure, as no test of it was run.
  for (const { status, assertionResults } of result.testResults) {
    if (status === "failed" && assertionResults.length === 0) failed += 1;
  }
}
console.log(`\n${passed} passed, ${failed} failed`);
