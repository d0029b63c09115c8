import { describe, expect, it } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { resolveDrainOptions, spread } from "./drain.ts";

describe("spread()", () => {
  it("visits all at once without a spread", () => {
    const visited: number[] = [];
    const clock = new VirtualClock();
    spread([1, 2, 3], 0, clock, (item) => visited.push(item));
    expect(visited).toEqual([1, 2, 3]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("visits evenly over the time, the first at once", async () => {
    const clock = new VirtualClock();
    const times: number[] = [];
    spread([1, 2, 3, 4], 1000, clock, () => times.push(clock.now()));
    await clock.advance(2000);
    expect(times).toEqual([0, 250, 500, 750]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("visits many within the time and with few timers", async () => {
    const clock = new VirtualClock();
    const items = Array.from({ length: 10_000 }, (_, index) => index);
    const visited: number[] = [];
    spread(items, 1000, clock, (item) => visited.push(item));
    await clock.advance(500);
    expect(visited.length).toBeGreaterThan(4900);
    expect(visited.length).toBeLessThan(5200);
    await clock.advance(500);
    expect(visited).toEqual(items);
  });

  it("stops when told to", async () => {
    const clock = new VirtualClock();
    const visited: number[] = [];
    const stop = spread([1, 2], 1000, clock, (item) => visited.push(item));
    stop();
    await clock.advance(2000);
    expect(visited).toEqual([1]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("does nothing for nothing", () => {
    const clock = new VirtualClock();
    spread([], 1000, clock, () => expect.unreachable());
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("resolveDrainOptions()", () => {
  it("has defaults", () => {
    expect(resolveDrainOptions({})).toEqual({ closeCode: 1001, reason: "", deadlineMs: 10_000, spreadMs: 1000 });
  });

  it("keeps the spread within the deadline", () => {
    expect(resolveDrainOptions({ deadlineMs: 500 }).spreadMs).toBe(250);
    expect(resolveDrainOptions({ deadlineMs: 500, spreadMs: 2000 }).spreadMs).toBe(500);
  });

  it.each([-1, Number.NaN])("throws RangeError for a time of %j", (value) => {
    expect(() => resolveDrainOptions({ deadlineMs: value })).toThrow(RangeError);
    expect(() => resolveDrainOptions({ spreadMs: value })).toThrow(RangeError);
  });
});
