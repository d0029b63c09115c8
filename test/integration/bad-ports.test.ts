import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { isBadPort } from "../../packages/sluice/src/node/bad-port.ts";

// What another implementation of the Fetch standard took over from it.
const { badPorts } = createRequire(import.meta.url)("undici/lib/web/fetch/constants.js") as {
  badPorts: readonly string[];
};

describe("H04: the bad ports of the Fetch standard", () => {
  it("are those that fetch() of undici blocks, and 0", () => {
    const ours = Array.from({ length: 65_536 }, (_, port) => port).filter(isBadPort);
    expect(ours.length).toBeGreaterThan(80);
    expect(ours).toEqual([...new Set([0, ...badPorts.map(Number)])].sort((a, b) => a - b));
  });
});
