import { parseGiven, toCount, UserError } from "./command-line.ts";
import { WORKERS_RANGE } from "./options.ts";

/** The measurement's command line, checked. */
export interface MeasureOptions {
  /** Compared with one. */
  readonly workers: number;
  readonly reusePort: boolean;
  readonly rounds: number;
  /** How long each setting is looked at in each round. */
  readonly seconds: number;
  /** Of all client processes together. */
  readonly connections: number;
  /** Messages under way on each connection. */
  readonly pipeline: number;
}

/** Processes that the connections are shared out to. */
export const CLIENT_PROCESSES = 2;

export const MEASURE_HELP = `Usage: node dist/measure.js [options]

Starts the server with one worker and with several, in turn, and lets ${CLIENT_PROCESSES} client processes send texts
of 125 bytes and wait for their echoes. Prints echoes per second and processor time.

Options
  --workers N       processes that serve, compared with 1 (2)
  --reuse-port      as the server's
  --rounds N        how often each setting is measured (5)
  --seconds N       how long, each time, after a second to warm up (3)
  --connections N   of all clients together (64)
  --pipeline N      messages under way on each connection (16)
  --help            show this`;

/**
 * Reads the arguments.
 *
 * @returns null if help was asked for
 * @throws {UserError} if something is wrong with them
 */
export function parseMeasureOptions(args: readonly string[]): MeasureOptions | null {
  const given = parseGiven(args, {
    workers: { type: "string" },
    "reuse-port": { type: "boolean" },
    rounds: { type: "string" },
    seconds: { type: "string" },
    connections: { type: "string" },
    pipeline: { type: "string" },
    help: { type: "boolean" },
  });
  if (given.help === true) return null;
  const connections = toCount(given, "connections", 64, [CLIENT_PROCESSES, 10_000]);
  if (connections % CLIENT_PROCESSES !== 0) {
    throw new UserError(`--connections must be a multiple of ${CLIENT_PROCESSES}: current value is ${connections}`);
  }
  return {
    workers: toCount(given, "workers", 2, [2, WORKERS_RANGE[1]]),
    reusePort: given["reuse-port"] === true,
    rounds: toCount(given, "rounds", 5, [1, 100]),
    seconds: toCount(given, "seconds", 3, [1, 600]),
    connections,
    pipeline: toCount(given, "pipeline", 16, [1, 1000]),
  };
}
