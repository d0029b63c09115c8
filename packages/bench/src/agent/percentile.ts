/** The value below which that share of the sorted values lies. @param share from 0 to 1 @returns NaN if there are none */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted.length === 0 ? Number.NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
