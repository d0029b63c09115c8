/** The middle value; the mean of the middle two if their number is even. @returns NaN if there are none */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The median of the ratios inside each round. What disturbs the machine for a while disturbs both of a round, so this holds
 * where a ratio of medians would not.
 *
 * @returns NaN if they have no round in common
 */
export function medianRatio(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.slice(0, theirs.length).map((value, round) => value / theirs[round]));
}

/** Half the distance between the lowest and the highest, as a share of the median: how far to trust it. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values);
}
