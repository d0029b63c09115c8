import { parseArgs } from "node:util";
import { colors as pc } from "./colors.ts";
import { DATA_SET_RECORDS } from "./data-set.ts";
import { UserError } from "./user-error.ts";
import { MAX_BATCH_RECORDS } from "./wire.ts";

/** The command line, checked. */
export interface Options {
  /** run: server and fleet; serve: only the server; send: only the fleet, to `url`. */
  readonly mode: "run" | "serve" | "send";
  readonly url: string | null;
  readonly clients: number;
  readonly records: number;
  readonly batchRecords: number;
  readonly rate: number | null;
  readonly seed: number;
  readonly sinkRate: number;
  readonly stallMs: number;
  readonly host: string;
  readonly port: number;
  /** null: a temporary one */
  readonly databasePath: string | null;
  readonly overwrite: boolean;
  readonly memoryLimitBytes: number;
  readonly json: boolean;
}

interface OptionText {
  /** What stands for the value, or null for a switch. */
  readonly value: string | null;
  readonly text: string;
  readonly byDefault?: string;
}

const DEFAULTS = { clients: "8", records: "800000", batch: "20", seed: "1", "sink-rate": "30000", stall: "4" };
const QUICK = { records: "200000", "sink-rate": "40000", stall: "1" };

const GROUPS: Readonly<Record<string, Readonly<Record<string, OptionText>>>> = {
  "The fleet": {
    clients: { value: "COUNT", text: "how many clients send at once", byDefault: DEFAULTS.clients },
    records: {
      value: "COUNT",
      text: "how many records they send altogether, at most 3000000",
      byDefault: DEFAULTS.records,
    },
    batch: { value: "COUNT", text: "records in one message", byDefault: DEFAULTS.batch },
    rate: { value: "PER_SECOND", text: "records that the fleet makes altogether", byDefault: "as fast as it can" },
    seed: { value: "NUMBER", text: "deals the airports out to the clients in another way", byDefault: DEFAULTS.seed },
  },
  "The server and its database": {
    "sink-rate": { value: "PER_SECOND", text: "records that the database takes", byDefault: DEFAULTS["sink-rate"] },
    stall: {
      value: "SECONDS",
      text: "how long the database stops on the way, 0 for not at all",
      byDefault: DEFAULTS.stall,
    },
    database: { value: "FILE", text: "where to keep the database", byDefault: "a temporary file" },
    overwrite: { value: null, text: "replace that file if it exists" },
    host: { value: "NAME", text: "interface to listen on", byDefault: "127.0.0.1" },
    port: { value: "NUMBER", text: "port to listen on, 0 for any", byDefault: "0, with --serve 8080" },
  },
  "On two machines": {
    serve: { value: null, text: "run only the server, until Ctrl-C" },
    url: { value: "URL", text: "run only the fleet, against a server elsewhere" },
  },
  Output: {
    json: { value: null, text: "one JSON object a line instead of the display" },
    "memory-limit": { value: "MIB", text: "resident memory that each process may reach", byDefault: "384" },
    quick: {
      value: null,
      text: `a short run: ${Object.entries(QUICK)
        .map(([name, value]) => `--${name} ${value}`)
        .join(" ")}`,
    },
    help: { value: null, text: "show this" },
  },
};

/**
 * Reads the arguments.
 *
 * @returns null if help was asked for
 * @throws {UserError} with exit code 2, if something is wrong with them
 */
export function parseOptions(args: readonly string[]): Options | null {
  const given = parse(args);
  if (given.help === true) return null;
  const values: Given = { ...DEFAULTS, ...(given.quick === true ? QUICK : {}), ...given };
  const mode = values.url !== undefined ? "send" : values.serve === true ? "serve" : "run";
  if (values.url !== undefined && values.serve === true) {
    throw wrong(
      "--serve and --url exclude each other",
      "Start the server with --serve, and the fleet elsewhere with --url.",
    );
  }
  refuseForeign(mode, given);
  const port = mode === "serve" ? "8080" : "0";
  return {
    mode,
    url: values.url === undefined ? null : toUrl(String(values.url)),
    clients: toCount("clients", values.clients, 1, 1_000),
    records: toCount("records", values.records, 1, DATA_SET_RECORDS),
    batchRecords: toCount("batch", values.batch, 1, MAX_BATCH_RECORDS),
    rate: values.rate === undefined ? null : toCount("rate", values.rate, 1, 100_000_000),
    seed: toCount("seed", values.seed, 0, 2 ** 32 - 1),
    sinkRate: toCount("sink-rate", values["sink-rate"], 1, 100_000_000),
    stallMs: toSeconds("stall", values.stall, 600) * 1000,
    host: String(values.host ?? "127.0.0.1"),
    port: toCount("port", values.port ?? port, 0, 65_535),
    databasePath: values.database === undefined ? null : String(values.database),
    overwrite: values.overwrite === true,
    memoryLimitBytes: toCount("memory-limit", values["memory-limit"] ?? "384", 64, 65_536) * 2 ** 20,
    json: values.json === true,
  };
}

/** The text for --help. */
export function toHelp(): string {
  const lines = [
    pc.bold("npm start -- [options]"),
    "",
    "A fleet of clients streams real flight departures over WebSockets into a database that is slower than they are, and",
    "stops for a while. Shows who waits for whom and how little is held in memory, and proves in the end that every record",
    "arrived. Ctrl-C stops the clients, stores what they have sent, and checks that too.",
  ];
  for (const [title, options] of Object.entries(GROUPS)) {
    lines.push("", pc.bold(title));
    for (const [name, { value, text, byDefault }] of Object.entries(options)) {
      const left = `--${name}${value === null ? "" : ` ${value}`}`;
      lines.push(`  ${left.padEnd(26)}${text}${byDefault === undefined ? "" : pc.dim(` (${byDefault})`)}`);
    }
  }
  lines.push(
    "",
    pc.bold("Exit status"),
    "  0  every record is in the database, and memory stayed within its bounds",
    "  1  something went wrong, or the proof does not hold",
    "  2  the options are wrong",
    "  130  stopped with Ctrl-C; the database holds what was acknowledged",
    "",
    pc.bold("For example"),
    "  npm start -- --clients 200 --stall 10",
    "  npm start -- --serve --port 8080 --database flights.duckdb",
    "  npm start -- --url ws://127.0.0.1:8080/departures",
  );
  return lines.join("\n");
}

type Given = Readonly<Partial<Record<string, string | boolean>>>;

function parse(args: readonly string[]): Given {
  const options: Record<string, { type: "string" | "boolean" }> = {};
  for (const group of Object.values(GROUPS)) {
    for (const [name, { value }] of Object.entries(group))
      options[name] = { type: value === null ? "boolean" : "string" };
  }
  try {
    // A "--" of `npm start -- …` that came through a package manager means nothing here.
    return parseArgs({ args: args.filter((arg) => arg !== "--"), options, allowNegative: false }).values as Given;
  } catch (error) {
    throw wrong((error as Error).message.split(". ", 1)[0] as string, "See --help for the options that there are.");
  }
}

/** What one part of the program is told has no effect when only the other runs: better said than ignored. */
function refuseForeign(mode: Options["mode"], given: Given): void {
  const [group, reason] =
    mode === "send"
      ? ["The server and its database", "with --url there is no server here"]
      : mode === "serve"
        ? ["The fleet", "with --serve there is no fleet here"]
        : [null, ""];
  if (group === null) return;
  const foreign = Object.keys(GROUPS[group] ?? {}).find(
    (name) => given[name] !== undefined && !(mode === "serve" && name === "records"),
  );
  if (foreign !== undefined) throw wrong(`--${foreign} has no effect: ${reason}`, `Leave --${foreign} out.`);
}

function toCount(name: string, value: unknown, lowest: number, highest: number): number {
  const count = /^\d+$/.test(String(value)) ? Number(value) : Number.NaN;
  if (count >= lowest && count <= highest) return count;
  throw wrong(
    `--${name} must be a whole number from ${lowest} to ${highest}: current value is ${String(value)}`,
    "See --help for what it means.",
  );
}

function toSeconds(name: string, value: unknown, highest: number): number {
  const seconds = /^\d+(\.\d+)?$/.test(String(value)) ? Number(value) : Number.NaN;
  if (seconds <= highest) return seconds;
  throw wrong(`--${name} must be seconds from 0 to ${highest}: current value is ${String(value)}`, "For example: 2.5");
}

function toUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || !/^(ws|wss):$/.test(url.protocol)) {
    throw wrong(
      `--url must be a ws: or wss: address: current value is ${value}`,
      "For example: ws://127.0.0.1:8080/departures",
    );
  }
  return url.href;
}

function wrong(message: string, advice: string): UserError {
  return new UserError(message, advice, { exitCode: 2 });
}
