/** Lets a reader go on no faster than a speed that may change at any time. */
export interface Pace {
  /** 0 stops. */
  bytesPerSecond: number;
  /** Fulfils when `bytes` more may be read. */
  spend(bytes: number): Promise<void>;
}

const TICK_MS = 20;

export function createPace(bytesPerSecond: number): Pace {
  let debt = 0;
  let last = performance.now();
  const pace: Pace = {
    bytesPerSecond,
    async spend(bytes) {
      debt += bytes;
      for (;;) {
        const now = performance.now();
        // Never more than a tenth of a second in advance: a pause is not made up for.
        debt = Math.max(debt - ((now - last) / 1000) * pace.bytesPerSecond, -pace.bytesPerSecond / 10);
        last = now;
        if (debt <= 0) return;
        await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      }
    },
  };
  return pace;
}
