import { addPressure, NO_PRESSURE, type Pressure, type Spent, since, toPressure } from "./pressure.ts";
import type { ProcessStatus, ServerStatus } from "./processes.ts";
import type { Phase, SideSnapshot, Snapshot } from "./snapshot.ts";

/** Pressure is judged over windows of this length: the two processes report at different moments. */
const WINDOW_MS = 500;
const RATE_WINDOW_MS = 1_000;
const NO_TIME: Spent = { application: 0, connection: 0 };

type Side = "fleet" | "server";

/** Makes one picture of what the two processes report. */
export class Tracker {
  readonly #recordsTotal: number;
  readonly #startedAtMs: number = performance.now();
  #fleet: ProcessStatus | null = null;
  #server: ServerStatus | null = null;
  #isStopping = false;
  #isChecking = false;
  #windowStartMs = 0;
  readonly #before: Record<Side, ReadonlyMap<number, Spent>> = { fleet: new Map(), server: new Map() };
  readonly #total: Record<Side, Pressure> = { fleet: NO_PRESSURE, server: NO_PRESSURE };
  readonly #recent: Record<Side, Pressure> = { fleet: NO_PRESSURE, server: NO_PRESSURE };
  #rateSamples: { atMs: number; records: number }[] = [];

  /** @param recordsTotal how many are going to be sent */
  constructor(recordsTotal: number) {
    this.#recordsTotal = recordsTotal;
  }

  set fleet(status: ProcessStatus) {
    this.#fleet = status;
  }

  set server(status: ServerStatus) {
    this.#server = status;
  }

  /** The clients were told to stop. */
  stop(): void {
    this.#isStopping = true;
  }

  /** Everything is stored; it is being read again. */
  check(): void {
    this.#isChecking = true;
  }

  /** The picture now. */
  take(): Snapshot {
    const nowMs = performance.now() - this.#startedAtMs;
    this.#judgePressure(nowMs);
    const fleet = this.#fleet === null ? null : this.#toSide("fleet", this.#fleet);
    const server = this.#server === null ? null : this.#toSide("server", this.#server);
    const recordsStored = this.#server?.committedRecords ?? sum(this.#fleet, "records");
    return {
      elapsedMs: nowMs,
      phase: this.#phase,
      stallLeftMs: this.#server?.stallLeftMs ?? 0,
      isStopping: this.#isStopping,
      recordsTotal: this.#recordsTotal,
      recordsSent: this.#fleet === null ? sum(this.#server, "records") : sum(this.#fleet, "records"),
      recordsStored,
      recordsPerSecond: this.#rate(nowMs, recordsStored),
      fleet,
      server,
      onTheWayBytes:
        fleet === null || server === null
          ? null
          : Math.max(0, sum(this.#fleet, "wireBytes") - sum(this.#server, "wireBytes")),
    };
  }

  get #phase(): Phase {
    if (this.#isChecking) return "checking";
    if (this.#isStopping) return "draining";
    if ((this.#server?.stallLeftMs ?? 0) > 0) return "stalled";
    // Without a total there is only a server, and clients come when they come.
    const isReady = this.#recordsTotal === 0 ? this.#server !== null : this.#fleet !== null;
    return isReady ? "streaming" : "starting";
  }

  #toSide(side: Side, status: ProcessStatus): SideSnapshot {
    return {
      connections: status.connections.filter((connection) => !connection.isDone).length,
      heldBytes: sum(status, "heldBytes"),
      peakHeldBytes: Math.max(0, ...status.connections.map((connection) => connection.peakHeldBytes)),
      rssBytes: status.rssBytes,
      peakRssBytes: status.peakRssBytes,
      pressureMs: scale(this.#total[side], 1 / Math.max(1, status.connections.length)),
      recentPressure: toShares(this.#recent[side]),
    };
  }

  #judgePressure(nowMs: number): void {
    if (nowMs - this.#windowStartMs < WINDOW_MS) return;
    this.#windowStartMs = nowMs;
    const spent = { fleet: this.#closeWindow("fleet"), server: this.#closeWindow("server") };
    for (const [own, other] of [
      ["fleet", "server"],
      ["server", "fleet"],
    ] as const) {
      let window = NO_PRESSURE;
      for (const [client, time] of spent[own]) {
        window = addPressure(window, toPressure(time, spent[other].get(client) ?? NO_TIME));
      }
      this.#recent[own] = window;
      this.#total[own] = addPressure(this.#total[own], window);
    }
  }

  /** What each open connection of a side did since the last time. */
  #closeWindow(side: Side): Map<number, Spent> {
    const status = side === "fleet" ? this.#fleet : this.#server;
    const before = this.#before[side];
    const now = new Map<number, Spent>();
    const spent = new Map<number, Spent>();
    for (const connection of status?.connections ?? []) {
      if (connection.isDone) continue;
      now.set(connection.client, connection.spent);
      spent.set(connection.client, since(before.get(connection.client) ?? NO_TIME, connection.spent));
    }
    this.#before[side] = now;
    return spent;
  }

  #rate(nowMs: number, records: number): number {
    this.#rateSamples.push({ atMs: nowMs, records });
    while (this.#rateSamples.length > 2 && (this.#rateSamples[1]?.atMs ?? 0) <= nowMs - RATE_WINDOW_MS) {
      this.#rateSamples.shift();
    }
    const first = this.#rateSamples[0];
    if (first === undefined || nowMs === first.atMs) return 0;
    return ((records - first.records) / (nowMs - first.atMs)) * 1000;
  }
}

function sum(status: ProcessStatus | null, field: "records" | "wireBytes" | "heldBytes"): number {
  return status?.connections.reduce((total, connection) => total + connection[field], 0) ?? 0;
}

function toShares(pressure: Pressure): Pressure {
  const total = pressure.application + pressure.peer + pressure.network;
  return total === 0 ? NO_PRESSURE : scale(pressure, 1 / total);
}

function scale({ application, peer, network }: Pressure, factor: number): Pressure {
  return { application: application * factor, peer: peer * factor, network: network * factor };
}
