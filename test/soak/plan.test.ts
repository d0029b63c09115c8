import { describe, expect, it } from "vitest";
import { createPlan, createStalledPlan, directionSeed, fromURL, KINDS, type SessionPlan, toPath } from "./plan.ts";

const RUN_MS = 600_000;
const plans: SessionPlan[] = Array.from({ length: 4_000 }, (_, seed) => createPlan(`c1.0-${seed}`, seed, RUN_MS));

function shareOf(isWanted: (plan: SessionPlan) => boolean): number {
  return plans.filter(isWanted).length / plans.length;
}

describe("createPlan()", () => {
  it("deals kinds, endings and enders out in the shares that docs/soak.md tells", () => {
    const shares = { plain: 0.4, deflate: 0.1, tls: 0.15, legacy: 0.2, "legacy tls": 0.05, credit: 0.1 };
    for (const kind of KINDS) expect(shareOf((plan) => plan.kind === kind)).toBeCloseTo(shares[kind], 1);
    expect(shareOf(({ ending }) => ending === "agreed")).toBeCloseTo(0.5, 1);
    expect(shareOf(({ ending }) => ending === "hasty")).toBeCloseTo(0.25, 1);
    expect(shareOf(({ ender }) => ender === "client")).toBeCloseTo(0.5, 1);
  });

  it("lets sessions live from 5 to 50 seconds, and less in a short run", () => {
    const lives = plans.map(({ lifeMs }) => lifeMs);
    expect(Math.min(...lives)).toBeGreaterThanOrEqual(5_000);
    expect(Math.max(...lives)).toBeLessThanOrEqual(50_000);
    expect(createPlan("c1.0-1", 1, 4_000).lifeMs).toBeLessThanOrEqual(1_000);
  });

  it("makes the same plan of the same seed", () => {
    expect(createPlan("c1.0-7", 7, RUN_MS)).toEqual(plans[7]);
  });
});

describe("createStalledPlan()", () => {
  it("covers each way to stall with ten, and lets the one that does not stall end it without a loss", () => {
    const stalled = Array.from({ length: 20 }, (_, index) => createStalledPlan("c0.0-1", 1, index, 60_000));
    expect(new Set(stalled.slice(0, 10).map(({ kind, staller }) => `${kind} ${staller}`)).size).toBe(10);
    for (const plan of stalled) {
      expect(plan).toMatchObject({ ending: "agreed", stallMs: 60_000 });
      expect(plan.ender).not.toBe(plan.staller);
    }
  });
});

describe("the path of a plan", () => {
  it("carries it to the server", () => {
    const plan = plans[3] as SessionPlan;
    expect(fromURL(new URL(toPath(plan), "ws://127.0.0.1:80/").href)).toEqual(plan);
  });

  it("gives both directions messages of their own", () => {
    const plan = plans[3] as SessionPlan;
    expect(directionSeed(plan, "client")).not.toBe(directionSeed(plan, "server"));
  });
});
