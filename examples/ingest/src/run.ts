import { DatabaseFile } from "./database-file.ts";
import type { Options } from "./options.ts";
import type { ClientResult, FleetCommand, ProcessStatus, ServerCommand, ServerStatus } from "./processes.ts";
import { prove } from "./proof.ts";
import { takeStock } from "./read-back.ts";
import type { Display, Outcome } from "./snapshot.ts";
import { Tracker } from "./tracker.ts";
import { Worker } from "./worker.ts";

/** The database stops when so much of all records is stored. */
const STALL_AT_SHARE = 0.4;
const REFRESH_MS = 100;
const FAREWELL_MS = 6_000;

/** One run, from the start of the processes to the proof. */
export class Run {
  readonly #options: Options;
  readonly #display: Display;
  readonly #tracker: Tracker;
  #server: Worker<ServerCommand, ServerStatus> | null = null;
  #fleet: Worker<FleetCommand, ProcessStatus> | null = null;
  #database: DatabaseFile | null = null;
  #wasStopped = false;
  #onStop: () => void = () => {};

  constructor(options: Options, display: Display) {
    this.#options = options;
    this.#display = display;
    this.#tracker = new Tracker(options.mode === "serve" ? 0 : options.records);
  }

  /** Runs to the end. @throws {UserError} if something that a person can put right went wrong */
  async run(): Promise<Outcome> {
    const { mode } = this.#options;
    const database =
      mode === "send" ? null : await DatabaseFile.prepare(this.#options.databasePath, this.#options.overwrite);
    this.#database = database;
    const timer = setInterval(() => this.#display.update(this.#tracker.take()), REFRESH_MS);
    try {
      const url = database === null ? (this.#options.url as string) : await this.#startServer(database.path);
      this.#display.start(describe(this.#options, url, database));
      const clients = mode === "serve" ? await this.#untilStopped() : await this.#runFleet(url);
      this.#tracker.check();
      const committedRecords = await this.#finishServer();
      const stock = database === null ? null : await takeStock(database.path);
      return this.#conclude(clients, committedRecords, stock, database);
    } finally {
      clearInterval(timer);
      // After a failure the server still gets the chance to say why, and to commit what came.
      await this.#fleet?.kill();
      await this.#server?.end({ type: "finish" }, FAREWELL_MS);
      await database?.dispose();
    }
  }

  /** Ends the clients' data where it is; what was sent is stored and proved. */
  stop(): void {
    if (this.#wasStopped) return;
    this.#wasStopped = true;
    this.#tracker.stop();
    this.#fleet?.send({ type: "stop" });
    this.#server?.send({ type: "drain" });
    this.#onStop();
  }

  /** Ends everything at once. A database that is kept holds what was committed. */
  async abort(): Promise<void> {
    await Promise.all([this.#fleet?.kill(), this.#server?.kill()]);
    await this.#database?.dispose();
  }

  async #startServer(databasePath: string): Promise<string> {
    const { host, port, sinkRate, stallMs, records } = this.#options;
    this.#server = new Worker("server", "server-process", {
      onStatus: (status) => {
        this.#tracker.server = status;
      },
      onProblem: (text) => this.#display.note(text),
    });
    const listening = this.#server.next("listening");
    const stallAfterRecords = Math.ceil(records * STALL_AT_SHARE);
    this.#server.send({ type: "start", settings: { host, port, databasePath, sinkRate, stallMs, stallAfterRecords } });
    if (this.#wasStopped) this.#server.send({ type: "drain" });
    return (await listening).url;
  }

  async #runFleet(url: string): Promise<readonly ClientResult[]> {
    const { clients, records, batchRecords, rate, seed } = this.#options;
    this.#fleet = new Worker("fleet", "fleet-process", {
      onStatus: (status) => {
        this.#tracker.fleet = status;
      },
      onProblem: (text) => this.#display.note(text),
    });
    const result = this.#fleet.next("result");
    const finished = this.#fleet.next("finished");
    this.#fleet.send({ type: "start", settings: { url, clients, records, batchRecords, rate, seed } });
    if (this.#wasStopped) this.#fleet.send({ type: "stop" });
    await this.#unlessServerFails(Promise.all([result, finished]));
    return (await result).clients;
  }

  async #untilStopped(): Promise<null> {
    if (this.#wasStopped) return null;
    return this.#unlessServerFails(
      new Promise<null>((resolve) => {
        this.#onStop = () => resolve(null);
      }),
    );
  }

  async #finishServer(): Promise<number | null> {
    if (this.#server === null) return null;
    const finished = this.#server.next("finished");
    this.#server.send({ type: "finish" });
    return (await finished).status.committedRecords;
  }

  #unlessServerFails<T>(work: Promise<T>): Promise<T> {
    return this.#server === null ? work : Promise.race([work, this.#server.failed]);
  }

  #conclude(
    clients: readonly ClientResult[] | null,
    committedRecords: number | null,
    stock: Outcome["stock"],
    database: DatabaseFile | null,
  ): Outcome {
    const final = this.#tracker.take();
    const { fleet, server, elapsedMs } = final;
    const { memoryLimitBytes } = this.#options;
    return {
      elapsedMs,
      wasStopped: this.#wasStopped,
      databasePath: database?.isKept === true ? database.path : null,
      stock,
      checks: prove({ clients, stock, committedRecords, fleet, server, memoryLimitBytes }),
      final,
    };
  }
}

function describe(options: Options, url: string, database: DatabaseFile | null): string {
  const kept = database?.isKept === true ? database.path : "a temporary database";
  if (options.mode === "serve") return `Listening on ${url}, storing in ${kept}`;
  const records = `${options.records.toLocaleString("en-US")} flight departures from ${options.clients} clients`;
  return database === null ? `${records} to ${url}` : `${records} into ${kept}`;
}
