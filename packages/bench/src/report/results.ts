import type { Cell, Sample } from "../scenarios/scenario.ts";
import type { Machine } from "./machine.ts";

/** What one peer gave in one cell: a sample for each round, or why there is none. */
export type Outcome = { readonly samples: readonly Sample[] } | { readonly problem: string };

/** One cell, all peers. */
export interface CellResult {
  readonly cell: Cell;
  readonly outcomes: Readonly<Record<string, Outcome>>;
}

/** One scenario, all its cells that were run. */
export interface ScenarioResult {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly cells: readonly CellResult[];
}

/** Everything a run found out, as it is kept in results/. */
export interface RunResult {
  readonly date: string;
  readonly command: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly milliseconds: number;
  /** What each peer was: versions, or why it could not be had. */
  readonly peers: Readonly<
    Record<string, { readonly title: string; readonly server: string; readonly client: string }>
  >;
  readonly scenarios: readonly ScenarioResult[];
}

/** The samples of a peer in a cell; none if it was not measured. */
export function getSamples(result: CellResult | undefined, peer: string): readonly Sample[] {
  const outcome = result?.outcomes[peer];
  return outcome !== undefined && "samples" in outcome ? outcome.samples : [];
}
