import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { RunResult } from "./results.ts";
import { getSamples } from "./results.ts";
import { median } from "./statistics.ts";

/** A measurement as a row for the plot. */
interface Row {
  readonly scenario: string;
  readonly cell: string;
  readonly peer: string;
  readonly value: number;
  readonly bytes: number;
  readonly kind: string;
  readonly direction: string;
}

/** Draws a run: speed over size for one way, bars for all else. @returns an SVG document */
export async function drawRun(run: RunResult): Promise<string> {
  const rows = collectRows(run);
  const lines = rows.filter(({ scenario }) => scenario === "one-way");
  const parts = [
    ...(lines.length > 0 ? [drawLines(lines)] : []),
    ...run.scenarios
      .filter(({ name }) => name !== "one-way")
      .map(({ name, title, unit }) =>
        drawBars(
          rows.filter(({ scenario }) => scenario === name),
          title,
          unit,
        ),
      ),
  ];
  const versions = [...new Set(Object.values(run.peers).flatMap(({ server, client }) => [server, client]))]
    .flatMap((text) => text.split(", "))
    .filter((version, index, all) => all.indexOf(version) === index);
  const spec: TopLevelSpec = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: {
      text: `sluice and its peers, ${run.date.slice(0, 10)}`,
      subtitle: [
        `${run.machine.processor}, ${run.machine.cores} cores, ${run.machine.system}, load before ${run.machine.loadBefore}`,
        versions.join(", "),
        `commit ${run.machine.commit}; medians of ${run.rounds} rounds of ${run.milliseconds} ms; logarithmic scales`,
      ],
      anchor: "start",
    },
    background: "white",
    vconcat: parts as never,
    resolve: { scale: { color: "shared" } },
    config: { view: { continuousHeight: 180, continuousWidth: 300 } },
  };
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}

function collectRows(run: RunResult): Row[] {
  return run.scenarios.flatMap(({ name, cells }) =>
    cells.flatMap((result) =>
      Object.keys(result.outcomes).flatMap((peer): Row[] => {
        const value = median(getSamples(result, peer).map((sample) => sample.value));
        const { name: cell, bytes, kind, direction = "" } = result.cell;
        return value > 0 ? [{ scenario: name, cell, peer, value, bytes, kind, direction }] : [];
      }),
    ),
  );
}

const color = { field: "peer", type: "nominal", scale: { scheme: "category20" }, title: "peer" };

function drawLines(rows: Row[]): object {
  return {
    title: "One way: messages per second over the size of a message",
    data: { values: rows },
    facet: {
      row: { field: "direction", type: "nominal", title: null },
      column: { field: "kind", type: "nominal", title: null },
    },
    spec: {
      mark: { type: "line", point: true },
      encoding: {
        x: { field: "bytes", type: "quantitative", scale: { type: "log", base: 2 }, title: "bytes" },
        y: { field: "value", type: "quantitative", scale: { type: "log" }, title: "messages/s" },
        color,
      },
    },
  };
}

function drawBars(rows: Row[], title: string, unit: string): object {
  return {
    title,
    data: { values: rows },
    facet: { field: "cell", type: "nominal", title: null, sort: null },
    columns: 3,
    spec: {
      // A bar has no start on a logarithmic scale.
      mark: { type: "point", filled: true, size: 80 },
      encoding: {
        y: { field: "peer", type: "nominal", title: null, sort: { field: "value", op: "max", order: "descending" } },
        x: { field: "value", type: "quantitative", scale: { type: "log" }, title: unit },
        color,
      },
    },
    resolve: { scale: { y: "independent" } },
  };
}
