// The program as a person starts it, over real sockets, with a real database.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { on, once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { WebSocketStream } from "sluice";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buildFromSources } from "./build-from-sources.ts";
import type { ConnectionStatus, Report, ServerSettings, ServerStatus } from "./processes.ts";
import { takeStock } from "./read-back.ts";
import type { Outcome, Snapshot } from "./snapshot.ts";
import { encodeBatch, INVALID_MESSAGE_CLOSE_CODE, SUBPROTOCOL } from "./wire.ts";

const SMALL = ["--clients", "4", "--records", "20000", "--sink-rate", "40000", "--stall", "0.2"];
/** Would run for hours: these runs are ended from outside. */
const ENDLESS = [
  ...["--clients", "4", "--records", "500000", "--rate", "10000"],
  ...["--sink-rate", "500", "--stall", "0"],
];

let build: { directory: string; dispose(): Promise<void> };
let directory: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  build = await buildFromSources();
});
afterAll(() => build.dispose());
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sluice-ingest-test-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(directory, { recursive: true, force: true });
});

type Line = { type: string } & Partial<Snapshot> & Partial<Outcome> & { ok?: boolean };

/** The program as started; `lines` is what it has printed so far. */
interface Started {
  readonly process: ChildProcess;
  readonly output: Interface;
  readonly lines: string[];
  readonly errors: string[];
  readonly exit: Promise<number>;
}

function start(...args: string[]): Started {
  const child = spawn(process.execPath, [join(build.directory, "main.js"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  const lines: string[] = [];
  const errors: string[] = [];
  const output = createInterface(child.stdout).on("line", (line) => lines.push(line));
  createInterface(child.stderr).on("line", (line) => errors.push(line));
  return { process: child, output, lines, errors, exit: once(child, "close").then(([code]) => code as number) };
}

/** Waits for a line of --json that fits. */
async function waitForLine(run: Started, fits: (line: Line) => boolean): Promise<Line> {
  for await (const [text] of on(run.output, "line", { close: ["close"] })) {
    const line = JSON.parse(text as string) as Line;
    if (fits(line)) return line;
  }
  throw new Error(`The program ended before it printed the line: ${run.errors.join("\n")}`);
}

/** The server's process alone. */
async function startServer(settings: Partial<ServerSettings>): Promise<{
  child: ChildProcess;
  url: string;
  nextStatus(fits: (status: ServerStatus) => boolean): Promise<ServerStatus>;
}> {
  const child = fork(join(build.directory, "server-process.js"));
  children.push(child);
  const next = async <Type extends Report["type"]>(
    type: Type,
    fits: (report: Extract<Report<ServerStatus>, { type: Type }>) => boolean,
  ): Promise<Extract<Report<ServerStatus>, { type: Type }>> => {
    for (;;) {
      const [report] = (await once(child, "message")) as [Report<ServerStatus>];
      if (report.type === type && fits(report as Extract<Report<ServerStatus>, { type: Type }>)) {
        return report as Extract<Report<ServerStatus>, { type: Type }>;
      }
    }
  };
  const listening = next("listening", () => true);
  child.send({
    type: "start",
    settings: {
      host: "127.0.0.1",
      port: 0,
      databasePath: join(directory, "departures.duckdb"),
      sinkRate: 1_000_000,
      stallMs: 0,
      stallAfterRecords: 0,
      ...settings,
    },
  });
  const { url } = await listening;
  return { child, url, nextStatus: async (fits) => (await next("status", ({ status }) => fits(status))).status };
}

const departure = { departedAtMs: 0, delayMinutes: 1, distanceMiles: 2, origin: "ATL", destination: "SAV" };

describe("npm start", () => {
  it("proves that every record arrived, and says so to a program", async () => {
    const path = join(directory, "kept.duckdb");
    const run = start(...SMALL, "--json", "--database", path);
    expect(await run.exit, run.errors.join("\n")).toBe(0);
    const result = JSON.parse(run.lines.at(-1) ?? "") as Line;
    expect(result).toMatchObject({ type: "result", ok: true, wasStopped: false, databasePath: path });
    expect(result.checks).toHaveLength(8);
    expect(result.checks?.filter((check) => !check.isMet)).toEqual([]);
    expect(result.final?.recordsStored).toBe(20_000);
    // Not the program's own word for it: the file, opened by this process.
    expect(await takeStock(path)).toEqual({ ...result.stock, records: 20_000, isGapFree: true });
  });

  it("prints plain lines and the proof when there is no terminal", async () => {
    const run = start(...SMALL);
    expect(await run.exit, run.errors.join("\n")).toBe(0);
    const text = run.lines.join("\n");
    expect(text).not.toContain("\u001b");
    expect(run.lines[0]).toMatch(/^20,000 flight departures from 4 clients into a temporary database$/);
    expect(text).toMatch(/✓ Rows in the database +20,000 +20,000 sent/);
    expect(text).toMatch(/Proved: 20,000 records in/);
  });

  it("sends the same records whatever the seed, dealt to the clients in another way", async () => {
    const runs = [start(...SMALL, "--json", "--seed", "1"), start(...SMALL, "--json", "--seed", "2")];
    expect(await Promise.all(runs.map((run) => run.exit))).toEqual([0, 0]);
    const [first, second] = runs.map((run) => JSON.parse(run.lines.at(-1) ?? "") as Line);
    expect(first?.stock?.records).toBe(second?.stock?.records);
    expect(first?.stock?.checksum).not.toBe(second?.stock?.checksum); // the sequence of each client is part of it
  });

  it.each(["SIGINT", "SIGTERM"] as const)(
    "stops on %s with every record that was sent in the database",
    async (signal) => {
      const path = join(directory, "stopped.duckdb");
      const run = start(...ENDLESS, "--json", "--database", path);
      await waitForLine(run, (line) => line.type === "progress" && (line.recordsStored ?? 0) > 0);
      run.process.kill(signal);
      expect(await run.exit, run.errors.join("\n")).toBe(130);
      const result = JSON.parse(run.lines.at(-1) ?? "") as Line;
      expect(result).toMatchObject({ type: "result", ok: true, wasStopped: true });
      const stock = await takeStock(path);
      expect(stock).toEqual(result.stock);
      expect(stock.isGapFree).toBe(true);
      expect(stock.records).toBeGreaterThan(0);
      expect(stock.records).toBeLessThan(500_000);
    },
  );

  it("leaves at once on a second SIGINT, with what was committed in the database", async () => {
    const path = join(directory, "left.duckdb");
    const run = start(...ENDLESS, "--json", "--database", path);
    await waitForLine(run, (line) => line.type === "progress" && (line.recordsStored ?? 0) > 0);
    run.process.kill("SIGINT");
    await waitForLine(run, (line) => line.type === "progress" && line.phase === "draining");
    run.process.kill("SIGINT");
    expect(await run.exit, run.errors.join("\n")).toBe(130);
    const stock = await takeStock(path);
    expect(stock.isGapFree).toBe(true);
    expect(stock.records).toBeGreaterThan(0);
  });

  it("exits with 1 when a bound does not hold", async () => {
    const run = start(...SMALL, "--memory-limit", "64");
    expect(await run.exit).toBe(1);
    expect(run.lines.join("\n")).toMatch(/✗ Peak memory of the server .* at most 64.0 MiB/);
    expect(run.lines.join("\n")).toMatch(/Not proved: 2 of 8 checks failed/);
  });

  it("runs its two halves apart from each other", async () => {
    const path = join(directory, "apart.duckdb");
    const server = start(
      "--serve",
      "--port",
      "0",
      "--sink-rate",
      "40000",
      "--stall",
      "0",
      "--json",
      "--database",
      path,
    );
    const { what } = (await waitForLine(server, (line) => line.type === "start")) as { what?: string };
    const url = /ws:\S+departures/.exec(what ?? "")?.[0] ?? "";
    const fleet = start("--url", url, "--clients", "2", "--records", "5000", "--json");
    expect(await fleet.exit, fleet.errors.join("\n")).toBe(0);
    server.process.kill("SIGINT");
    expect(await server.exit, server.errors.join("\n")).toBe(0);
    expect(await takeStock(path)).toMatchObject({ records: 5_000, isGapFree: true });
  });
});

describe("What a person can put right", () => {
  it("is explained with exit status 2 when it is the options", async () => {
    const run = start("--clients", "none");
    expect(await run.exit).toBe(2);
    expect(run.errors).toEqual([
      "--clients must be a whole number from 1 to 1000: current value is none",
      "See --help for what it means.",
    ]);
  });

  it("is explained when the port is taken", async () => {
    const squatter = createServer().listen(0, "127.0.0.1");
    await once(squatter, "listening");
    const { port } = squatter.address() as { port: number };
    const run = start("--port", String(port));
    expect(await run.exit).toBe(1);
    expect(run.errors.join("\n")).toContain(`Cannot listen on 127.0.0.1:${port}: another program does already`);
    expect(run.errors.join("\n")).toContain("--port");
    squatter.close();
  });

  it("is explained when nobody answers", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as { port: number };
    closed.close();
    await once(closed, "close");
    const run = start("--url", `ws://127.0.0.1:${port}/departures`);
    expect(await run.exit).toBe(1);
    expect(run.errors.join("\n")).toContain("nothing listens there");
    expect(run.errors.join("\n")).toContain("--serve");
  });

  it("is explained when the database cannot be made", async () => {
    const run = start("--database", join(directory, "missing", "x.duckdb"));
    expect(await run.exit).toBe(1);
    expect(run.errors.join("\n")).toContain("Cannot create the database");
    expect(run.errors.join("\n")).toContain("a directory that exists");
  });

  it("leaves a file alone that exists already, unless told otherwise", async () => {
    const path = join(directory, "precious.txt");
    await writeFile(path, "precious");
    const refused = start("--database", path);
    expect(await refused.exit).toBe(1);
    expect(refused.errors.join("\n")).toContain("--overwrite");
    const replaced = start(...SMALL, "--database", path, "--overwrite");
    expect(await replaced.exit, replaced.errors.join("\n")).toBe(0);
    expect(await takeStock(path)).toMatchObject({ records: 20_000 });
  });
});

describe("The server", () => {
  it("closes with 4400 and the reason when a message is not what was agreed, and keeps what came before", async () => {
    const { child, url, nextStatus } = await startServer({});
    const stream = new WebSocketStream(url, { protocols: [SUBPROTOCOL] });
    const { writable, protocol } = await stream.opened;
    expect(protocol).toBe(SUBPROTOCOL);
    const writer = writable.getWriter();
    await writer.write(encodeBatch({ first: 0, departures: [departure, departure] }));
    await writer.write(encodeBatch({ first: 7, departures: [departure] }));
    const closed = await stream.closed;
    expect(closed).toEqual({
      closeCode: INVALID_MESSAGE_CLOSE_CODE,
      reason: "batch must start with record 2: it starts with 7",
    });
    await nextStatus((status) => status.committedRecords === 2);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await takeStock(join(directory, "departures.duckdb"))).toMatchObject({ records: 2, isGapFree: true });
  });

  it("has whole transactions and nothing else in its database when it is killed in the middle", async () => {
    const { child, url, nextStatus } = await startServer({ sinkRate: 20_000 });
    const stream = new WebSocketStream(url, { protocols: [SUBPROTOCOL] });
    const { writable } = await stream.opened;
    let first = 0;
    const endless = new ReadableStream<string>({
      pull: (controller) => {
        controller.enqueue(encodeBatch({ first, departures: Array(10).fill(departure) }));
        first += 10;
      },
    });
    const sending = endless.pipeTo(writable);
    sending.catch(() => {}); // ends with the server
    const { committedRecords } = await nextStatus((status) => status.committedRecords > 0);
    child.kill("SIGKILL");
    await once(child, "exit");
    await expect(sending).rejects.toThrow();
    const stock = await takeStock(join(directory, "departures.duckdb"));
    expect(stock.isGapFree).toBe(true);
    expect(stock.records % 10).toBe(0);
    expect(stock.records).toBeGreaterThanOrEqual(committedRecords);
  });

  it("makes a client wait while the database stands still, and holds no more than promised", async () => {
    const { url, nextStatus } = await startServer({ stallMs: 600_000, stallAfterRecords: 1 });
    const stream = new WebSocketStream(url, { protocols: [SUBPROTOCOL] });
    const { writable } = await stream.opened;
    const writer = writable.getWriter();
    let first = 0;
    const write = (): void => {
      writer.write(encodeBatch({ first, departures: Array(500).fill(departure) })).catch(() => {});
      first += 500;
    };
    // Fills what there is to fill: a write that is still pending when the server has received nothing new since the last
    // status is held back by it.
    const isFull = async (): Promise<ConnectionStatus> => {
      let before = -1;
      for (;;) {
        while ((writer.desiredSize ?? 0) > 0) {
          write();
          await Promise.race([writer.ready, new Promise((resolve) => setImmediate(resolve))]);
        }
        const status = await nextStatus(({ connections }) => connections.length === 1);
        const connection = status.connections[0] as ConnectionStatus;
        if (status.stallLeftMs > 0 && connection.wireBytes === before && (writer.desiredSize ?? 0) <= 0)
          return connection;
        before = connection.wireBytes;
      }
    };
    const connection = await isFull();
    expect(connection.peakHeldBytes).toBeLessThanOrEqual(256 * 1024);
    expect(first * 70).toBeGreaterThan(connection.wireBytes); // more was written than the server has taken
    stream.close();
  });
});
