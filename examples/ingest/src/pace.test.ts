import { describe, expect, it, vi } from "vitest";
import { Pace } from "./pace.ts";

describe("Pace", () => {
  it("makes the second wait as long as the first takes", async () => {
    vi.spyOn(performance, "now").mockReturnValue(5_000);
    const pace = new Pace(100);
    await pace.take(50);
    expect(pace.waitMs).toBe(500);
  });

  it("makes up for a short delay, and not for a long one", async () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(5_000);
    const pace = new Pace(100);
    await pace.take(10);
    now.mockReturnValue(5_250); // 150 ms late
    await pace.take(20);
    expect(pace.waitMs).toBe(50);
    now.mockReturnValue(60_000);
    await pace.take(40);
    expect(pace.waitMs).toBe(200);
  });

  it("holds nobody back without a limit", async () => {
    const pace = new Pace(Number.POSITIVE_INFINITY);
    await pace.take(1_000_000);
    expect(pace.waitMs).toBe(0);
  });

  it("holds everybody back while it is stopped", () => {
    vi.spyOn(performance, "now").mockReturnValue(5_000);
    const pace = new Pace(Number.POSITIVE_INFINITY);
    pace.stopFor(3_000);
    expect(pace.waitMs).toBe(3_000);
  });

  it("open() lets through what waits, and everything after", async () => {
    const pace = new Pace(1);
    await pace.take(3_600);
    const waiting = pace.take(1);
    pace.open();
    await waiting;
    await pace.take(3_600);
    expect(pace.waitMs).toBe(0);
  });
});
