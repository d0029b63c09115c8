import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeFrame } from "../../packages/sluice/src/testing/wire-frame.ts";
import { readCorpus } from "./fuzz/corpus.ts";
import { mutate } from "./fuzz/mutate.ts";
import { TARGETS, type Target, TEXT_TARGETS } from "./fuzz/targets.ts";
import { randomOf } from "./random.ts";

/*
 * A test run tries the same inputs every time; `pnpm fuzz` looks for others. What it finds goes into the corpus. `targets.ts`
 * says what has to hold for any input.
 */
const SEED = 6455;
/** 2,400 in all; a whole connection costs a hundred times as much as a header. */
const RUNS: Readonly<Record<string, number>> = {
  frames: 600,
  connection: 100,
  request: 400,
  response: 400,
  extensions: 500,
  credit: 400,
};

const byte = fc.integer({ min: 0, max: 255 });
const frame = fc.record({
  opcode: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(0, 1, 2, 8, 9, 10) }, fc.integer({ min: 0, max: 15 })),
  isFin: fc.boolean(),
  rsv: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(0, 0, 0, 4) }, fc.integer({ min: 0, max: 7 })),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ unit: "grapheme", maxLength: 60 }),
    fc.constantFrom(Uint8Array.of(3, 232), Uint8Array.of(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00)),
  ),
});

/** Sessions of frames that are mostly legal, for a setting that the first byte chooses. */
const session = fc.tuple(byte, fc.array(frame, { maxLength: 12 })).map(([flags, frames]) => {
  const isMasked = (flags & 1) === 0;
  return new Uint8Array(Buffer.concat([Uint8Array.of(flags), ...frames.map((init) => encodeFrame(init, isMasked))]));
});

/** Inputs of a target: noise, neighbours of the corpus, and sessions. */
function inputsOf(name: string): fc.Arbitrary<Uint8Array> {
  const corpus = readCorpus(name).map(({ bytes }) => bytes);
  const neighbour = fc
    .tuple(fc.constantFrom(...corpus), fc.constantFrom(...corpus), fc.integer())
    .map(([one, other, seed]) => mutate(one, other, randomOf(seed)));
  const noise = fc.uint8Array({ maxLength: 300 });
  if (TEXT_TARGETS.includes(name))
    return fc.oneof({ weight: 1, arbitrary: noise }, { weight: 8, arbitrary: neighbour });
  return fc.oneof(
    { weight: 1, arbitrary: noise },
    { weight: 4, arbitrary: session },
    { weight: 4, arbitrary: neighbour },
  );
}

describe.each(Object.entries(TARGETS))("what strangers send: %s", (name, target: Target) => {
  it("holds its promises for the whole corpus", async () => {
    const corpus = readCorpus(name);
    expect(corpus.length).toBeGreaterThan(5);
    for (const { name: file, bytes } of corpus) {
      try {
        await target(bytes);
      } catch (error) {
        throw new Error(`${name}/${file}`, { cause: error });
      }
    }
  });

  it(`holds them for ${RUNS[name]} other inputs`, async () => {
    const property = fc.asyncProperty(inputsOf(name), async (input) => target(input));
    await fc.assert(property, { seed: SEED, numRuns: RUNS[name] as number });
  });
});
