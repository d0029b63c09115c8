/** How much more is not yet growth: `ratio` of the first median, or `floor` if that is more. */
export interface Tolerance {
  readonly ratio: number;
  readonly floor: number;
}

/** A verdict on a series of measurements. */
export interface Growth {
  /** Median of the first third, and of the last third. */
  readonly first: number;
  readonly last: number;
  /** What the last median may be at most. */
  readonly allowed: number;
  /** False if there were too few measurements to tell. */
  readonly isJudged: boolean;
  readonly hasGrown: boolean;
}

/** In each third. */
export const MIN_SAMPLES = 4;

/** Compares the median of the first third of a series with that of its last third: single peaks do not count. */
export function judgeGrowth(values: readonly number[], tolerance: Tolerance): Growth {
  const third = Math.floor(values.length / 3);
  const first = median(values.slice(0, third));
  const last = median(values.slice(values.length - third));
  const allowed = first + Math.max(first * tolerance.ratio, tolerance.floor);
  const isJudged = third >= MIN_SAMPLES;
  return { first, last, allowed, isJudged, hasGrown: isJudged && last > allowed };
}

/** The middle value, or the mean of the two in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}
