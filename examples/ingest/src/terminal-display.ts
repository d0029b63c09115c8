import asciichart from "asciichart";
import { createLogUpdate } from "log-update";
import sparkly from "sparkly";
import { colors as pc } from "./colors.ts";
import { formatBytes, formatCount, formatSeconds, formatShare } from "./format.ts";
import { BOUND_IN_BYTES, BOUND_OUT_BYTES } from "./limits.ts";
import { formatOutcome } from "./outcome-text.ts";
import type { Display, Outcome, SideSnapshot, Snapshot } from "./snapshot.ts";

/** Columns of the charts: one for each second until they are full, then the last minute. */
const CHART_COLUMNS = 60;
const CHART_ROWS = 4;
const CHART_INTERVAL_MS = 1_000;
/** The memory chart ends at a multiple of this, so that its labels are round numbers. */
const CHART_STEP_MIB = 100;
const BAR_COLUMNS = 40;
/** The bars of the states of pressure, where there is room for long ones and where there is not. */
const SHARE_COLUMNS = { wide: 8, narrow: 4 };
const WIDE_COLUMNS = 96;
/** A percentage, seconds, and spaces beside such a bar. */
const SHARE_TEXT_COLUMNS = 15;
/** What stands left of the sparkline. */
const SPEED_COLUMNS = 37;
const MIB = 2 ** 20;

/** The live display of a terminal. */
export class TerminalDisplay implements Display {
  readonly #logUpdate: ReturnType<typeof createLogUpdate>;
  readonly #columns: () => number;
  #what = "";
  readonly #speed: number[] = [];
  readonly #memory: { server: number[]; fleet: number[] } = { server: [], fleet: [] };
  #chartedAtMs = Number.NEGATIVE_INFINITY;
  #last: Snapshot | null = null;

  constructor(output: NodeJS.WriteStream) {
    this.#logUpdate = createLogUpdate(output);
    this.#columns = () => output.columns ?? 80;
  }

  start(what: string): void {
    this.#what = what;
  }

  update(snapshot: Snapshot): void {
    this.#last = snapshot;
    if (snapshot.elapsedMs - this.#chartedAtMs >= CHART_INTERVAL_MS) {
      this.#chartedAtMs = snapshot.elapsedMs;
      chart(this.#speed, snapshot.recordsPerSecond);
      if (snapshot.server !== null) chart(this.#memory.server, snapshot.server.rssBytes / MIB);
      if (snapshot.fleet !== null) chart(this.#memory.fleet, snapshot.fleet.rssBytes / MIB);
    }
    this.#logUpdate(this.#render(snapshot));
  }

  note(text: string): void {
    this.#logUpdate.clear();
    process.stdout.write(`${pc.yellow(text)}\n`);
    if (this.#last !== null) this.update(this.#last);
  }

  finish(outcome: Outcome): void {
    this.update(outcome.final);
    this.#logUpdate.done();
    process.stdout.write(`${formatOutcome(outcome)}\n\n`);
  }

  abandon(): void {
    this.#logUpdate.done();
  }

  #render(snapshot: Snapshot): string {
    const columns = this.#columns();
    return [
      "",
      ` ${pc.bold(pc.cyan("Sluice"))}  ${this.#what}`,
      "",
      ...renderProgress(snapshot, this.#speed.slice(SPEED_COLUMNS - columns)),
      ` ${renderPhase(snapshot)}`,
      "",
      ...renderBytes(snapshot),
      "",
      ...renderPressure(snapshot, columns < WIDE_COLUMNS ? SHARE_COLUMNS.narrow : SHARE_COLUMNS.wide),
      "",
      ...this.#renderMemory(snapshot),
    ]
      .map((line) => truncate(line, columns))
      .join("\n");
  }

  #renderMemory({ fleet, server }: Snapshot): string[] {
    const legend = [
      server === null ? null : `${pc.magenta("server")} ${formatBytes(server.rssBytes)}`,
      fleet === null ? null : `${pc.blue("fleet")} ${formatBytes(fleet.rssBytes)}`,
    ].filter((part) => part !== null);
    const series = [
      { values: this.#memory.server, color: asciichart.magenta },
      { values: this.#memory.fleet, color: asciichart.blue },
    ].filter(({ values }) => values.length > 0);
    if (series.length === 0) return [];
    const plot = asciichart.plot(
      series.map(({ values }) => values),
      {
        height: CHART_ROWS,
        min: 0,
        max: Math.ceil(Math.max(...series.flatMap(({ values }) => values)) / CHART_STEP_MIB) * CHART_STEP_MIB,
        colors: pc.isColorSupported ? series.map(({ color }) => color) : undefined,
        format: (mib: number) => mib.toFixed(0).padStart(6),
      },
    );
    return [` ${pc.bold("Memory of the processes")}, MiB: ${legend.join(", ")}`, ...plot.split("\n")];
  }
}

function chart(values: number[], value: number): void {
  values.push(value);
  if (values.length > CHART_COLUMNS) values.shift();
}

function renderProgress(snapshot: Snapshot, speeds: readonly number[]): string[] {
  const { recordsStored, recordsTotal, recordsPerSecond, elapsedMs, server } = snapshot;
  const verb = server === null ? "sent" : "stored";
  const speed = `${pc.bold(formatCount(recordsPerSecond).padStart(9))} records/s`;
  const time = formatSeconds(elapsedMs);
  const sparkline = pc.cyan(sparkly([...speeds], { minimum: 0 }));
  if (recordsTotal === 0) return [` ${formatCount(recordsStored)} ${verb}   ${time}`, ` ${speed} ${sparkline}`];
  const share = Math.min(1, recordsStored / recordsTotal);
  return [
    ` ${bar(share, BAR_COLUMNS, pc.green)} ${formatShare(share).padStart(5)}   ${formatCount(recordsStored)} of ${formatCount(recordsTotal)} ${verb}`,
    ` ${time.padEnd(12)}${speed}  ${sparkline}`,
  ];
}

function renderPhase({ phase, stallLeftMs, fleet, server }: Snapshot): string {
  switch (phase) {
    case "starting":
      return pc.dim("Starting the processes, and reading the data set");
    case "stalled":
      return pc.yellow(
        `The database stands still, ${formatSeconds(stallLeftMs)} left: the clients wait, nothing piles up`,
      );
    case "draining":
      return pc.yellow("Stopping: what was sent is being stored (Ctrl-C again: leave at once)");
    case "checking":
      return "Reading everything back from the database";
    case "streaming":
      if (server === null) return "Sending";
      if (fleet === null)
        return server.connections === 0 ? pc.dim("Waiting for clients") : "Storing what the clients send";
      return fleet.recentPressure.peer > 0.5
        ? "The clients could send faster: the database sets the pace"
        : "The clients send as fast as they can, until the sockets' buffers are full";
  }
}

function renderBytes({ fleet, server, onTheWayBytes }: Snapshot): string[] {
  const rows: Row[] = [];
  if (fleet !== null) {
    const held = `${formatBytes(fleet.peakHeldBytes)} of ${formatBytes(BOUND_OUT_BYTES)} promised`;
    rows.push(["fleet, to be sent", formatBytes(fleet.heldBytes), held]);
  }
  if (onTheWayBytes !== null)
    rows.push(["kernel, on the way", formatBytes(onTheWayBytes), "the socket buffers' limit"]);
  if (server !== null) {
    const held = `${formatBytes(server.peakHeldBytes)} of ${formatBytes(BOUND_IN_BYTES)} promised`;
    rows.push(["server, to be read", formatBytes(server.heldBytes), held]);
  }
  return [
    ` ${pc.bold("Bytes in flight".padEnd(22))}${pc.dim("now, all".padStart(12))}   ${pc.dim("most for one connection")}`,
    ...rows.map(([name, now, most]) => `   ${name.padEnd(20)}${now.padStart(12)}   ${pc.dim(most)}`),
  ];
}

type Row = [name: string, now: string, most: string];

function renderPressure({ fleet, server }: Snapshot, barColumns: number): string[] {
  const isWhole = fleet !== null && server !== null;
  // One side alone cannot tell who keeps it waiting.
  const headings = isWhole ? ["own work", "waits for peer", "waits for network"] : ["own work", "waits"];
  const columns = barColumns + SHARE_TEXT_COLUMNS;
  return [
    ` ${pc.bold("Time of a connection".padEnd(21))}${headings.map((text) => pc.dim(text.padEnd(columns))).join("")}`,
    ...(fleet === null ? [] : [`   ${"fleet, sending".padEnd(19)}${renderShares(fleet, isWhole, barColumns)}`]),
    ...(server === null ? [] : [`   ${"server, receiving".padEnd(19)}${renderShares(server, isWhole, barColumns)}`]),
  ];
}

/** For each state: its share of the last moments, and the seconds since the start. */
function renderShares(side: SideSnapshot, isWhole: boolean, barColumns: number): string {
  const { recentPressure: recent, pressureMs: total } = side;
  const cells: [share: number, ms: number, paint: Paint][] = [[recent.application, total.application, pc.green]];
  if (isWhole) cells.push([recent.peer, total.peer, pc.yellow]);
  cells.push([recent.network, total.network, isWhole ? pc.red : pc.yellow]);
  return cells
    .map(([share, ms, paint]) => {
      const seconds = `${(ms / 1000).toFixed(1)} s`.padStart(8);
      return `${bar(share, barColumns, paint)} ${formatShare(share).padStart(5)}${pc.dim(seconds)} `;
    })
    .join("");
}

type Paint = (text: string) => string;

function bar(share: number, columns: number, paint: Paint): string {
  const full = Math.round(share * columns);
  return paint("█".repeat(full)) + pc.dim("░".repeat(columns - full));
}

/** Cuts a line that would wrap. Escape sequences have no width. */
function truncate(line: string, columns: number): string {
  const pieces = line.split(ESCAPE);
  let left = columns - 1;
  return pieces
    .map((piece) => {
      if (piece.startsWith("\u001b")) return piece;
      const kept = piece.slice(0, Math.max(0, left));
      left -= piece.length;
      return kept;
    })
    .join("");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const ESCAPE = /(\u001b\[[0-9;]*m)/;
