import { parseGiven, toCount } from "./command-line.ts";

/** The server's command line, checked. */
export interface Options {
  readonly host: string;
  /** 0: any free one */
  readonly port: number;
  readonly workers: number;
  /** Each worker listens itself, instead of being given connections by the first process. */
  readonly reusePort: boolean;
}

/** The most workers, and the least. */
export const WORKERS_RANGE = [1, 256] as const;

export const HELP = `Usage: node dist/main.js [options]

A WebSocket server that echoes, on several processes that share one port. The first message of each
connection is the server's and names the process: "worker 2".

Options
  --workers N     processes that serve (2)
  --host NAME     interface to listen on (127.0.0.1)
  --port NUMBER   port to listen on, 0 for any (8080)
  --reuse-port    each process listens itself and the system shares the connections out, instead of
                  node:cluster; needs Linux and Node 22.12, 23.1 or later
  --help          show this

Ctrl-C (or SIGTERM) closes every connection with 1012, spread over a second, waits for the clients and
ends the program; a second one ends it at once. A worker that dies is replaced.

Exit status
  0  ended in order, or help was asked for
  1  it could not start, or a worker did not end in order
  2  the options are wrong`;

/**
 * Reads the arguments.
 *
 * @returns null if help was asked for
 * @throws {UserError} if something is wrong with them
 */
export function parseOptions(args: readonly string[]): Options | null {
  const given = parseGiven(args, {
    workers: { type: "string" },
    host: { type: "string" },
    port: { type: "string" },
    "reuse-port": { type: "boolean" },
    help: { type: "boolean" },
  });
  if (given.help === true) return null;
  return {
    host: typeof given.host === "string" ? given.host : "127.0.0.1",
    port: toCount(given, "port", 8080, [0, 65_535]),
    workers: toCount(given, "workers", 2, WORKERS_RANGE),
    reusePort: given["reuse-port"] === true,
  };
}
