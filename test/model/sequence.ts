import fc from "fast-check";
import type { Clock } from "../../packages/sluice/src/connection/clock.ts";
import type { CodecTiming } from "./model-codec.ts";

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
/** What a stream's side may hold for sending: its writable queue is not counted. */
export const MAX_OUT: number = MAX_MESSAGE + SEND_LIMIT + RESERVE_OUT;

export const length: fc.Arbitrary<number> = fc.oneof(
  fc.nat(64),
  fc.nat(20_000),
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

/** `expect()` costs too much for what is looked at behind every action. @throws {Error} if a side holds too much */
export function checkHeld(held: { in: number; out: number }, limits: { in: number; out: number }): void {
  const isBounded = held.in >= 0 && held.in <= limits.in && held.out >= 0 && held.out <= limits.out;
  if (!isBounded)
    throw new Error(`${held.in} bytes in and ${held.out} out are held: allowed ${limits.in}, ${limits.out}`);
}

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

/** Whether both ends compress, and how each end's codec takes its time. */
export const codecs: fc.Arbitrary<readonly [CodecTiming, CodecTiming] | null> = fc.option(
  fc.tuple(timing(), timing()),
  { nil: null, freq: 2 },
);

function timing(): fc.Arbitrary<CodecTiming> {
  return fc.array(fc.constantFrom(0, 0, 0, 1, 2, 7), { minLength: 1, maxLength: 5 });
}
