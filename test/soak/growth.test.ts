import { describe, expect, it } from "vitest";
import { judgeGrowth, median } from "./growth.ts";

const TOLERANCE = { ratio: 0.1, floor: 5 };
const series = (count: number, at: (index: number) => number): number[] =>
  Array.from({ length: count }, (_, i) => at(i));

describe("median", () => {
  it("takes the middle, or the mean of the two in the middle", () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([9, 1, 5, 6])).toBe(5.5);
    expect(median([])).toBe(0);
  });

  it("orders by value and not by text", () => {
    expect(median([10, 9, 8])).toBe(9);
  });
});

describe("judgeGrowth", () => {
  it("finds what grows all the time", () => {
    expect(
      judgeGrowth(
        series(30, (index) => 100 + index),
        TOLERANCE,
      ),
    ).toEqual({
      first: 104.5,
      last: 124.5,
      allowed: 114.95,
      isJudged: true,
      hasGrown: true,
    });
  });

  it("finds nothing in noise, nor in single peaks", () => {
    expect(
      judgeGrowth(
        series(30, (index) => 100 + (index % 7)),
        TOLERANCE,
      ).hasGrown,
    ).toBe(false);
    expect(
      judgeGrowth(
        series(30, (index) => (index % 10 === 9 ? 10_000 : 100)),
        TOLERANCE,
      ).hasGrown,
    ).toBe(false);
  });

  it("finds nothing in what falls, or rose and stays", () => {
    expect(
      judgeGrowth(
        series(30, (index) => 100 - index),
        TOLERANCE,
      ).hasGrown,
    ).toBe(false);
    expect(
      judgeGrowth(
        series(30, (index) => (index < 4 ? 0 : 100)),
        TOLERANCE,
      ).hasGrown,
    ).toBe(false);
  });

  it("allows the larger of both tolerances, and not more", () => {
    const step = (from: number, to: number) => series(30, (index) => (index < 15 ? from : to));
    expect(judgeGrowth(step(10, 15), TOLERANCE).hasGrown).toBe(false);
    expect(judgeGrowth(step(10, 16), TOLERANCE).hasGrown).toBe(true);
    expect(judgeGrowth(step(1_000, 1_100), TOLERANCE).hasGrown).toBe(false);
    expect(judgeGrowth(step(1_000, 1_101), TOLERANCE).hasGrown).toBe(true);
  });

  it("does not judge fewer than four measurements in a third", () => {
    expect(
      judgeGrowth(
        series(11, (index) => index * 1_000),
        TOLERANCE,
      ),
    ).toMatchObject({
      isJudged: false,
      hasGrown: false,
    });
    expect(
      judgeGrowth(
        series(12, (index) => index * 1_000),
        TOLERANCE,
      ),
    ).toMatchObject({
      isJudged: true,
      hasGrown: true,
    });
  });
});
