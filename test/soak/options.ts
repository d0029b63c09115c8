import { parseArgs } from "node:util";

/** What a run is told. */
export interface SoakOptions {
  /** Minutes of traffic, from 0.01; opening the connections is part of it, winding down is not. @defaultValue 10 */
  readonly minutes: number;
  /** Connections open at once, 10 to 50,000. @defaultValue 2,000 */
  readonly connections: number;
  /** Decides about everything that is random. @defaultValue the time of day */
  readonly seed: number;
  /** File for the checks in the form of a test runner's results; null for none. */
  readonly jsonPath: string | null;
}

export const USAGE = `Usage: pnpm soak [options]

One server process and three client processes exchange numbered, checksummed messages over many connections, with stalls,
kills and reconnects. Ends with a report; its status is 1 if something was lost, damaged or never settled, or if memory or
handles grew. docs/soak.md explains the report. Ctrl-C winds down and reports what there is.

  --minutes N        minutes of traffic; fractions are allowed (10)
  --connections N    connections open at once (2000)
  --seed N           an integer that decides about everything random (the time of day)
  --json FILE        also writes the checks to this file, as a test runner's results
  --help             this text
`;

/**
 * Reads the arguments of the command line.
 *
 * @returns null if help is wanted
 * @throws {RangeError | TypeError} if an option is unknown, or out of its range
 */
export function parseSoakOptions(args: readonly string[]): SoakOptions | null {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--"), // pnpm passes it on
    options: {
      minutes: { type: "string", default: "10" },
      connections: { type: "string", default: "2000" },
      seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  return {
    minutes: toNumber("--minutes", values.minutes, 0.01, 100_000),
    connections: toInteger("--connections", values.connections, 10, 50_000),
    seed: toInteger("--seed", values.seed, 0, 2 ** 31 - 1),
    jsonPath: values.json ?? null,
  };
}

function toNumber(name: string, text: string, minimum: number, maximum: number): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= minimum && value <= maximum) return value;
  throw new RangeError(`${name} must be a number from ${minimum} to ${maximum}: got ${JSON.stringify(text)}`);
}

function toInteger(name: string, text: string, minimum: number, maximum: number): number {
  const value = toNumber(name, text, minimum, maximum);
  if (Number.isInteger(value)) return value;
  throw new RangeError(`${name} must be an integer: got ${JSON.stringify(text)}`);
}
