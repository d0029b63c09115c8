import type { Outcome } from "../report/results.ts";
import type { Cell, Pace, Rounds, Sample, Scenario } from "../scenarios/scenario.ts";
import { Pair, type Surroundings } from "./pair.ts";
import type { Peer } from "./peers.ts";

/** How often and how long. */
export interface CellPlan extends Pace {
  readonly rounds: number;
}

interface Entry {
  readonly peer: Peer;
  readonly samples: Sample[];
  pair: Pair | undefined;
  rounds: Rounds | undefined;
  problem: string | undefined;
}

/**
 * Measures all peers in one cell. Each gets its own two processes, which live through all rounds; the rounds are interleaved,
 * every other one in reverse, so that what happens on the machine meanwhile happens to all.
 */
export async function runCell(
  scenario: Scenario,
  cell: Cell,
  peers: readonly Peer[],
  surroundings: Surroundings,
  plan: CellPlan,
): Promise<Record<string, Outcome>> {
  const rounds = Math.min(plan.rounds, scenario.maxRounds ?? plan.rounds);
  const isProfiled = surroundings.profilePrefix !== undefined;
  const entries = peers.map((peer): Entry => {
    const excluded = scenario.excludes(peer, cell);
    return { peer, samples: [], pair: undefined, rounds: undefined, problem: excluded };
  });

  const start = attempt(async (entry) => {
    entry.pair = await Pair.start(entry.peer, surroundings, {
      bytes: cell.bytes,
      isEncrypted: cell.isEncrypted === true,
      isDeflated: scenario.isDeflated === true,
    });
    entry.rounds = await scenario.prepare(entry.pair, cell, plan);
    await entry.rounds.warmUp();
  });
  const measure = (round: number) =>
    attempt(async (entry) => {
      entry.samples.push(await (entry.rounds as Rounds).measure(isProfiled && round === 0));
    });

  try {
    // Scenarios of a single round may fill the memory: one peer after the other.
    if (rounds === 1) {
      for (const entry of entries) {
        await start(entry);
        await measure(0)(entry);
        entry.pair?.stop();
      }
    } else {
      for (const entry of entries) await start(entry);
      for (let round = 0; round < rounds; round++) {
        for (const entry of round % 2 === 0 ? entries : entries.toReversed()) await measure(round)(entry);
      }
    }
  } finally {
    for (const { pair } of entries) pair?.stop();
  }
  return Object.fromEntries(
    entries.map(({ peer, samples, problem }) => [peer.name, problem === undefined ? { samples } : { problem }]),
  );
}

/** Keeps what goes wrong with one peer from ending the run: it is reported in its place. */
function attempt(work: (entry: Entry) => Promise<void>): (entry: Entry) => Promise<void> {
  return async (entry) => {
    if (entry.problem !== undefined) return;
    try {
      await work(entry);
    } catch (error) {
      entry.problem = (error as Error).message;
      entry.pair?.stop();
    }
  };
}
