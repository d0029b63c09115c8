import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Check } from "./checks.ts";

const script = fileURLToPath(new URL("../../scripts/soak.mjs", import.meta.url));

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-soak-test-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command to its end. */
async function soak(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, output: stdout + stderr });
    });
  });
}

describe("pnpm soak", () => {
  // Of the time that it takes, and so of how much is done, nothing is asserted.
  it("passes a short run, in which something was sent, compared and killed", async () => {
    const path = join(folder, "results.json");
    const { code, output } = await soak("--minutes", "0.05", "--connections", "20", "--seed", "1", "--json", path);
    expect(output).toContain("\nPassed\n");
    expect(code).toBe(0);
    const results = JSON.parse(readFileSync(path, "utf8")) as { checks: Check[]; numFailedTests: number };
    const failed = results.checks.filter(({ isOk }) => !isOk);
    expect({ failed, numFailedTests: results.numFailedTests }).toEqual({ failed: [], numFailedTests: 0 });
    const names = results.checks.map(({ name }) => name);
    expect(names).toContain("nothing acknowledged was lost");
    expect(names).toContain("at rest the server has no connections");
  });

  it("explains itself, and refuses what cannot be meant", async () => {
    expect(await soak("--help")).toMatchObject({ code: 0, output: expect.stringContaining("--connections N") });
    expect(await soak("--minutes", "0")).toMatchObject({ code: 2, output: expect.stringContaining("from 0.01") });
    expect(await soak("--connections", "20.5")).toMatchObject({ code: 2, output: expect.stringContaining("integer") });
    expect(await soak("--typo")).toMatchObject({ code: 2, output: expect.stringContaining("--typo") });
  });
});
