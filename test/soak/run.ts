import { randomOf } from "../hostile/random.ts";
import { createCertificate } from "../support/certificate.ts";
import { Child } from "./child.ts";
import type { FaultCategory } from "./fault.ts";
import { Ledger } from "./ledger.ts";
import { findLeftHandles } from "./left-handles.ts";
import { openFilesPrefix, readOpenFileLimits } from "./open-files.ts";
import type { SoakOptions } from "./options.ts";
import type { ClientOrder, Note } from "./orders.ts";
import type { Measurement, RunRecord, WatchedProcess } from "./record.ts";

/** Bundles of the two programs. */
export interface Programs {
  readonly server: string;
  readonly client: string;
}

/** What a run found. */
export interface SoakOutcome {
  readonly record: RunRecord;
  readonly ledger: Ledger;
}

/** The first of them is never killed. */
const CLIENT_PROCESSES = 3;
const STALL_MS = 60_000;
/** Every kind of connection, stalled at either side, twice. */
const STALLED_CONNECTIONS = 20;
const PROGRESS_MS = 10_000;
/** For what takes a moment on a machine that is not busy. */
const PATIENCE_MS = 60_000;

/** The whole run: processes, time, kills, measurements. */
export class SoakRun {
  readonly #options: SoakOptions;
  readonly #programs: Programs;
  readonly #say: (line: string) => void;
  readonly #ledger = new Ledger();
  readonly #record: RunRecord;
  readonly #random: () => number;
  readonly #gone = new Set<string>();
  #latest: Measurement | null = null;
  #server!: Child;
  #clients: Child[] = [];
  #order!: Omit<ClientOrder, "name" | "connections" | "stalledConnections">;
  #startedMs = 0;
  #generation = 0;
  #sampleNumber = 0;
  #interrupt: () => void = () => {};
  #isInterrupted = false;

  constructor(options: SoakOptions, programs: Programs, say: (line: string) => void) {
    this.#options = options;
    this.#programs = programs;
    this.#say = say;
    this.#random = randomOf(options.seed);
    const runMs = options.minutes * 60_000;
    this.#record = {
      server: { title: "server", measurements: [] },
      client: { title: "client", measurements: [] },
      atRestBefore: null,
      atRestAfter: null,
      faults: [],
      ranMs: 0,
      warmUpMs: runMs,
      runMs,
      stallMs: Math.min(STALL_MS, runMs / 2),
      stalledConnections: Math.min(STALLED_CONNECTIONS, Math.floor(options.connections / 5)),
      kills: 0,
    };
  }

  /** Winds down now. */
  interrupt(): void {
    this.#isInterrupted = true;
    this.#interrupt();
  }

  /** @throws {Error} if the run cannot begin */
  async run(): Promise<SoakOutcome> {
    try {
      await this.#startServer();
      this.#startedMs = performance.now();
      for (let index = 0; index < CLIENT_PROCESSES; index++) this.#clients.push(this.#startClient(index));
      void this.#noteWarmUp(this.#clients);
      await this.#goOn();
      this.#record.ranMs = this.#elapsedMs;
      await this.#windDown();
    } finally {
      await Promise.all([this.#server, ...this.#clients].map((child) => child?.kill()));
    }
    return { record: this.#record, ledger: this.#ledger };
  }

  get #elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  async #startServer(): Promise<void> {
    const { connections, seed } = this.#options;
    const prefix = openFilesPrefix(connections, readOpenFileLimits());
    const { key, cert } = await createCertificate();
    this.#server = new Child("server", this.#programs.server, prefix, (note) => this.#onNote(this.#server, note));
    await this.#server.next("ready", PATIENCE_MS);
    this.#server.send({ type: "start", server: { seed, key, cert } });
    const listening = await this.#server.next("listening", PATIENCE_MS);
    if (listening === null) throw new Error(`The server's process did not start: ${this.#server.stderr}`);
    const { runMs, stallMs } = this.#record;
    this.#order = { seed, cert, urls: listening.urls, runMs, stallMs };
    this.#record.atRestBefore = await this.#measure(this.#server);
  }

  #startClient(index: number): Child {
    const { connections } = this.#options;
    const name = `c${index}.${this.#generation++}`;
    const prefix = openFilesPrefix(connections, readOpenFileLimits());
    const child: Child = new Child(name, this.#programs.client, prefix, (note) => this.#onNote(child, note));
    const share = Math.floor(connections / CLIENT_PROCESSES);
    const order: ClientOrder = {
      ...this.#order,
      name,
      connections: index === 0 ? connections - share * (CLIENT_PROCESSES - 1) : share,
      stalledConnections: index === 0 ? this.#record.stalledConnections : 0,
    };
    void child.next("ready", PATIENCE_MS).then(() => child.send({ type: "start", client: order }));
    return child;
  }

  /** Measurements count from a fifth of the time, or when all connections were open for a while. */
  async #noteWarmUp(clients: readonly Child[]): Promise<void> {
    await Promise.all(clients.map((client) => client.next("ramped", this.#record.runMs)));
    this.#record.warmUpMs = Math.max(this.#record.runMs / 5, this.#elapsedMs + this.#record.runMs / 20);
  }

  /** The time of traffic: measurements, lines of progress, kills. */
  async #goOn(): Promise<void> {
    const { runMs } = this.#record;
    const sampleMs = Math.min(5_000, Math.max(250, runMs / 60));
    const killMs = Math.min(45_000, runMs / 5);
    let nextSampleMs = sampleMs;
    let nextProgressMs = PROGRESS_MS;
    let nextKillMs = runMs / 4;
    while (!this.#isInterrupted && !this.#server.isGone) {
      const nextMs = Math.min(nextSampleMs, nextProgressMs, nextKillMs, runMs);
      await this.#sleep(nextMs - this.#elapsedMs);
      const nowMs = this.#elapsedMs;
      if (nowMs >= runMs || this.#isInterrupted) return;
      if (nowMs >= nextSampleMs) {
        await this.#measureAll();
        nextSampleMs = Math.max(nextSampleMs + sampleMs, this.#elapsedMs + sampleMs / 2);
      }
      if (nowMs >= nextProgressMs) {
        this.#sayProgress();
        nextProgressMs += PROGRESS_MS;
      }
      if (nowMs >= nextKillMs) {
        await this.#killClient();
        nextKillMs += killMs * (0.75 + 0.5 * this.#random());
      }
    }
  }

  async #sleep(durationMs: number): Promise<void> {
    if (durationMs <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, durationMs);
      this.#interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** kill -9 of a client's process, and another one in its place. */
  async #killClient(): Promise<void> {
    const index = 1 + Math.floor(this.#random() * (CLIENT_PROCESSES - 1));
    const client = this.#clients[index] as Child;
    this.#gone.add(client.name);
    await client.kill();
    this.#record.kills++;
    this.#clients[index] = this.#startClient(index);
  }

  async #windDown(): Promise<void> {
    this.#say("winding down");
    const finished = this.#clients.map((client) => client.next("finished", 3 * PATIENCE_MS));
    this.#server.send({ type: "resume" });
    for (const client of this.#clients) client.send({ type: "finish" });
    await Promise.all(finished);
    // The server hears of the last ends a moment later than the clients, and its sockets linger a moment more.
    const deadlineMs = performance.now() + PATIENCE_MS;
    do {
      await this.#sleep(200);
      this.#record.atRestAfter = await this.#measure(this.#server);
    } while (!this.#isAtRest && performance.now() < deadlineMs && !this.#server.isGone);
    const done = this.#server.next("finished", PATIENCE_MS);
    this.#server.send({ type: "finish" });
    await done;
    for (const child of [this.#server, ...this.#clients]) {
      if (child.isGone) this.#fault("process", `${child.name} ended by itself: ${child.stderr}`);
      else if (child.stderr !== "") this.#fault("process", `${child.name} wrote: ${child.stderr}`);
    }
    this.#ledger.takeWidowed((id) => this.#gone.has(id.slice(0, id.indexOf("-"))));
    for (const text of this.#ledger.describeWaiting()) this.#fault("unreported", text);
  }

  get #isAtRest(): boolean {
    const { atRestBefore: before, atRestAfter: after } = this.#record;
    if (before === null || after === null || after.traffic.open > 0) return false;
    if (after.traffic.metrics.some((metrics) => metrics.connectionsOpen > 0)) return false;
    return findLeftHandles(before.sample, after.sample).length === 0;
  }

  async #measureAll(): Promise<void> {
    const watched = [this.#server, this.#clients[0] as Child];
    const [server, client] = await Promise.all(watched.map((child) => this.#measure(child)));
    const keep = ({ measurements }: WatchedProcess, measurement: Measurement | null | undefined): void => {
      if (measurement) measurements.push(measurement);
    };
    this.#latest = server ?? this.#latest;
    keep(this.#record.server, server);
    keep(this.#record.client, client);
  }

  async #measure(child: Child): Promise<Measurement | null> {
    if (!child.isStarted) return null;
    const sampled = child.next("sample", PATIENCE_MS);
    child.send({ type: "sample", number: this.#sampleNumber++ });
    const note = await sampled;
    if (note === null) return null;
    return { atMs: this.#elapsedMs, sample: note.sample, traffic: note.traffic };
  }

  #onNote(child: Child, note: Note): void {
    if (note.type === "fault") this.#fault(note.category, `${child.name}: ${note.text}`);
    if (note.type === "ended") for (const { category, text } of this.#ledger.add(note.end)) this.#fault(category, text);
  }

  #fault(category: FaultCategory, text: string): void {
    this.#record.faults.push({ category, text });
    if (this.#record.faults.length <= 20) this.#say(`FAULT ${category}: ${text}`);
  }

  #sayProgress(): void {
    if (this.#latest === null) return;
    const { atMs, sample, traffic } = this.#latest;
    const bytes = traffic.sentBytes + traffic.receivedBytes;
    const perSecond = (value: number): number => value / (atMs / 1_000);
    this.#say(
      [
        `${Math.round(this.#elapsedMs / 1_000)} s`,
        `open ${traffic.open}`,
        `sessions ${traffic.opened}`,
        `${Math.round(perSecond(traffic.sent + traffic.received))} messages/s`,
        `${(perSecond(bytes) / 1e6).toFixed(1)} MB/s`,
        `server heap ${(sample.heapUsed / 1e6).toFixed(1)} MB, rss ${(sample.rss / 1e6).toFixed(0)} MB`,
        `kills ${this.#record.kills}`,
        `faults ${this.#record.faults.length}`,
      ].join(" | "),
    );
  }
}
