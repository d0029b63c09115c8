import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { openFilesPrefix, readOpenFileLimits } from "./open-files.ts";

describe("openFilesPrefix()", () => {
  it("is empty where the soft limit suffices, or there is none", () => {
    expect(openFilesPrefix(2_000, { soft: 2_200, hard: 2_200 })).toEqual([]);
    expect(openFilesPrefix(2_000, null)).toEqual([]);
  });

  it("says what to do where the hard limit forbids", () => {
    expect(() => openFilesPrefix(2_000, { soft: 1_024, hard: 2_199 })).toThrow(
      /2000 connections need 2200 open files .* hard limit is 2199/,
    );
  });

  it("is a command that raises the soft limit", () => {
    const [command, ...args] = openFilesPrefix(100, { soft: 64, hard: 100_000 }) as [string, ...string[]];
    const { stdout } = spawnSync(command, [...args, "sh", "-c", "ulimit -Sn; echo $1", "-", "argument"], {
      encoding: "utf8",
    });
    expect(stdout).toBe("300\nargument\n");
  });
});

describe("readOpenFileLimits()", () => {
  it("finds limits of a process that has some", () => {
    const limits = readOpenFileLimits();
    if (limits !== null) expect(limits.soft).toBeGreaterThan(0);
    expect(limits === null).toBe(process.platform === "win32");
  });
});
