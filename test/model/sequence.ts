import fc from "fast-check";
import type { Clock } from "../../packages/sluice/src/connection/clock.ts";

/** What both models share: sizes, lengths, and what the network does. */

/** `SLUICE_SEQUENCES=100000` makes the long run; `SLUICE_SEED` repeats one. */
export const SEQUENCES: number = Number(process.env.SLUICE_SEQUENCES ?? 2000);
const SEED = process.env.SLUICE_SEED === undefined ? undefined : Number(process.env.SLUICE_SEED);

/** Arguments of `fc.assert`. */
export const RUNS: fc.Parameters<unknown> = { numRuns: SEQUENCES, ...(SEED === undefined ? {} : { seed: SEED }) };

/** Nothing is this slow; a hang is found by the model. */
export const TIMEOUT_MS: number = SEQUENCES * 200;

export const MAX_MESSAGE = 200_000;
export const SEND_LIMIT = 65_536;
export const RESERVE_IN = 131_072;
export const RESERVE_OUT = 262_144;

export const length: fc.Arbitrary<number> = fc.oneof(
  fc.nat(64),
  fc.constantFrom(0, 121, 122, 65_530, MAX_MESSAGE - 10),
  fc.nat(MAX_MESSAGE - 10),
);

/** In how many tasks an action is done; 0: at once, all the same. */
export const delay: fc.Arbitrary<number> = fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 2, 3, 5, 8);

/** Calls back in the task of that number from now, in between whatever the engine does then. */
export function inTasks(clock: Clock, tasks: number, callback: () => void): void {
  clock.nextTask(() => {
    if (tasks <= 1) callback();
    else inTasks(clock, tasks - 1, callback);
  });
}

export interface NetworkShape {
  readonly capacityBytes: number;
  readonly chunk: number;
  readonly isBorrowed: boolean;
}

export const network: fc.Arbitrary<NetworkShape> = fc.record({
  capacityBytes: fc.constantFrom(1000, 65_536, 1_000_000),
  chunk: fc.constantFrom(65_536, 4096, 7),
  isBorrowed: fc.boolean(),
});

/** Options of `MemoryTransport.pair`. */
export function toTransportOptions({ capacityBytes, chunk, isBorrowed }: NetworkShape): {
  capacityBytes: number;
  chunkLength: (available: number) => number;
  isBorrowed: boolean;
} {
  // Single bytes would take too long for large messages.
  return {
    capacityBytes,
    chunkLength: (available) => (available > 2_000 ? Math.max(4096, chunk) : chunk),
    isBorrowed,
  };
}
