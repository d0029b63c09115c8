import { parseArgs } from "node:util";

/** The command line, checked. */
export interface Options {
  readonly host: string;
  readonly port: number;
  /** Between two exports. */
  readonly intervalMs: number;
  /** Clients of our own that make something to see. */
  readonly demoClients: number;
}

/** Something the person at the terminal can put right. Shown without a stack trace. */
export class UserError extends Error {
  override readonly name = "UserError";
}

export const HELP = `Usage: node dist/main.js [options]

A WebSocket server that echoes, ws://HOST:PORT/, and its metrics through OpenTelemetry. They are printed as one JSON
object a line; put another exporter in their place (src/main.ts) and they go to a collector.

Options
  --host NAME          interface to listen on (127.0.0.1)
  --port NUMBER        port to listen on, 0 for any (8080)
  --interval SECONDS   time between two exports (10)
  --demo COUNT         that many clients of its own, so that there is something to see: all but the first read
                       what they get, and the first reads nothing (0)
  --help               show this

Ctrl-C (or SIGTERM) tells the clients, waits for them, exports once more and ends the program; a second one ends it at once.

Exit status
  0  ended in order, or help was asked for
  1  it could not start
  2  the options are wrong`;

const WHOLE = /^\d+$/;
const DECIMAL = /^\d+(\.\d+)?$/;

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
    port: toNumber("port", values.port ?? "8080", WHOLE, 0, 65_535),
    intervalMs: toNumber("interval", values.interval ?? "10", DECIMAL, 0.1, 3_600) * 1000,
    demoClients: toNumber("demo", values.demo ?? "0", WHOLE, 0, 1_000),
  };
}

function parse(args: readonly string[]): {
  host?: string;
  port?: string;
  interval?: string;
  demo?: string;
  help?: boolean;
} {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      // A "--" that came through a package manager means nothing here.
      args: args.filter((arg) => arg !== "--"),
      options: { host: text, port: text, interval: text, demo: text, help: { type: "boolean" } },
    }).values;
  } catch (error) {
    throw new UserError(`${(error as Error).message.split(". ", 1)[0]}. See --help for the options that there are.`);
  }
}

function toNumber(name: string, value: string, form: RegExp, lowest: number, highest: number): number {
  const number = form.test(value) ? Number(value) : Number.NaN;
  if (number >= lowest && number <= highest) return number;
  const kind = form === WHOLE ? "a whole number" : "a number";
  throw new UserError(`--${name} must be ${kind} from ${lowest} to ${highest}: current value is ${value}`);
}
