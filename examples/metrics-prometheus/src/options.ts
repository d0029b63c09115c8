import { parseArgs } from "node:util";

/** The command line, checked. */
export interface Options {
  readonly host: string;
  readonly port: number;
  /** Clients of our own that make something to see. */
  readonly demoClients: number;
}

/** Something the person at the terminal can put right. Shown without a stack trace. */
export class UserError extends Error {
  override readonly name = "UserError";
}

export const HELP = `Usage: node dist/main.js [options]

A WebSocket server that echoes, and its metrics for Prometheus, on one port:

  ws://HOST:PORT/echo        what is sent comes back
  http://HOST:PORT/metrics   what a Prometheus server scrapes

Options
  --host NAME     interface to listen on (127.0.0.1)
  --port NUMBER   port to listen on, 0 for any (9464)
  --demo COUNT    that many clients of its own, so that there is something to see: all but the first read
                  what they get, and the first reads nothing (0)
  --help          show this

Ctrl-C (or SIGTERM) tells the clients, waits for them and ends the program; a second one ends it at once.

Exit status
  0  ended in order, or help was asked for
  1  it could not start
  2  the options are wrong`;

/**
 * Reads the arguments.
 *
 * @returns null if help was asked for
 * @throws {UserError} if something is wrong with them
 */
export function parseOptions(args: readonly string[]): Options | null {
  const values = parse(args);
  if (values.help === true) return null;
  return {
    host: values.host ?? "127.0.0.1",
    port: toCount("port", values.port ?? "9464", 65_535),
    demoClients: toCount("demo", values.demo ?? "0", 1_000),
  };
}

function parse(args: readonly string[]): { host?: string; port?: string; demo?: string; help?: boolean } {
  try {
    return parseArgs({
      // A "--" that came through a package manager means nothing here.
      args: args.filter((arg) => arg !== "--"),
      options: {
        host: { type: "string" },
        port: { type: "string" },
        demo: { type: "string" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new UserError(`${(error as Error).message.split(". ", 1)[0]}. See --help for the options that there are.`);
  }
}

function toCount(name: string, value: string, highest: number): number {
  const count = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (count <= highest) return count;
  throw new UserError(`--${name} must be a whole number from 0 to ${highest}: current value is ${value}`);
}
