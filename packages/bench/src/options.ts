import { parseArgs } from "node:util";
import { ENDS, getPeer, PEERS, type Peer } from "./runner/peers.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import type { Scenario } from "./scenarios/scenario.ts";

/** What to run, as said on the command line. */
export interface BenchOptions {
  readonly isQuick: boolean;
  readonly scenarios: readonly Scenario[];
  readonly isCellWanted: (name: string) => boolean;
  readonly peers: readonly Peer[];
  /** Whether the peers were named, and not chosen by default. */
  readonly hasOwnPeers: boolean;
  readonly rounds: number;
  readonly milliseconds: number;
  readonly node: string;
  readonly build: string | undefined;
  readonly base: string | undefined;
  readonly profile: string | undefined;
  readonly isSaved: boolean;
}

const QUICK_PEERS = ["net", "sluice", "sluice-facade", "ws", "ws-cork", "undici-stream", "bun", "deno"];

/** The text of `--help`. */
export const HELP = `Measures sluice against its peers, in the same run on the same machine.

  pnpm bench [options]

  --quick            the main sizes and peers only, in less than two minutes
  --scenario LIST    ${SCENARIOS.map(({ name }) => name).join(", ")}
  --cell PATTERN     only cells whose name matches, e.g. "ingest 32 B"
  --peers LIST       ${PEERS.map(({ name }) => name).join(", ")};
                     or SERVER:CLIENT of ${Object.keys(ENDS).join(", ")}
  --rounds N         measured rounds of each cell, interleaved (5; quick: 2)
  --ms N             length of a round in milliseconds (500; quick: 150)
  --node LINE        Node that the measured processes run on: 20, 22, 24, 26 (24)
  --build DIR        the build that is measured (packages/sluice/dist)
  --base DIR         another build of packages/sluice/dist, as the peers base and base-facade
  --profile DIR      writes a .cpuprofile and a flame graph of each process in its first measured round
  --no-save          writes nothing into results/
  --help             this text
`;

/**
 * Reads the command line.
 *
 * @returns null if it asks for help
 * @throws {Error} with a text for the user if it cannot be meant
 */
export function readOptions(args: string[]): BenchOptions | null {
  const { values } = parseArgs({
    args: args[0] === "--" ? args.slice(1) : args,
    options: {
      quick: { type: "boolean", default: false },
      scenario: { type: "string" },
      cell: { type: "string", default: "" },
      peers: { type: "string" },
      rounds: { type: "string" },
      ms: { type: "string" },
      node: { type: "string", default: "24" },
      build: { type: "string" },
      base: { type: "string" },
      profile: { type: "string" },
      "no-save": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const { quick: isQuick, base } = values;
  const cell = new RegExp(values.cell);
  return {
    isQuick,
    scenarios: values.scenario === undefined ? SCENARIOS : values.scenario.split(",").map(getScenario),
    isCellWanted: (name) => cell.test(name),
    peers: getPeers(values.peers, isQuick, base !== undefined),
    hasOwnPeers: values.peers !== undefined,
    rounds: readCount("rounds", values.rounds, isQuick ? 2 : 5),
    milliseconds: readCount("ms", values.ms, isQuick ? 150 : 500),
    node: values.node,
    build: values.build,
    base,
    profile: values.profile,
    isSaved: !values["no-save"],
  };
}

function getPeers(list: string | undefined, isQuick: boolean, hasBase: boolean): Peer[] {
  if (list !== undefined) return list.split(",").map(getPeer);
  const all = PEERS.filter(({ name }) => hasBase || !name.startsWith("base"));
  return isQuick ? all.filter(({ name }) => name.startsWith("base") || QUICK_PEERS.includes(name)) : [...all];
}

function getScenario(name: string): Scenario {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name);
  if (scenario === undefined) {
    throw new RangeError(`There is no scenario ${name}; there are ${SCENARIOS.map((known) => known.name).join(", ")}`);
  }
  return scenario;
}

function readCount(name: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(`--${name} must be a whole number of at least 1: current value is ${text}`);
  }
  return value;
}
