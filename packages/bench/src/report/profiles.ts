import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, View } from "vega";
import { type CpuProfile, type FlameRow, foldProfile, listHotSpots } from "./cpu-profile.ts";
import { formatNumber } from "./table.ts";

/** Rows of frames in a picture; what is deeper is left out. */
const MAX_DEPTH = 24;
const WIDTH = 1200;
const ROW_HEIGHT = 18;

/** Draws each .cpuprofile of a folder as a flame graph beside it, and prints what took most of the time. */
export async function drawProfiles(folder: string): Promise<void> {
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"))) {
    const profile = JSON.parse(readFileSync(join(folder, file), "utf8")) as CpuProfile;
    const title = file.replace(/\.cpuprofile$/, "");
    writeFileSync(join(folder, `${title}.svg`), await drawFlameGraph(foldProfile(profile, MAX_DEPTH), title));
    console.log(`\n${title}`);
    for (const { place, share } of listHotSpots(profile).slice(0, 20)) {
      console.log(`  ${formatNumber(share * 100).padStart(5)} %  ${place}`);
    }
  }
}

/** Draws frames as boxes: as wide as their share of the time, callers below what they call. @returns an SVG document */
export async function drawFlameGraph(rows: readonly FlameRow[], title: string): Promise<string> {
  const depth = Math.max(1, ...rows.map((row) => row.depth + 1));
  const visible = rows.filter(({ from, to }) => (to - from) * WIDTH >= 1);
  const view = new View(
    parse({
      $schema: "https://vega.github.io/schema/vega/v6.json",
      width: WIDTH,
      height: depth * ROW_HEIGHT,
      padding: 8,
      background: "white",
      title: { text: title, anchor: "start" },
      data: [{ name: "frames", values: visible.map((row) => ({ ...row })) }],
      scales: [
        { name: "x", type: "linear", domain: [0, 1], range: "width" },
        { name: "y", type: "linear", domain: [0, depth], range: "height" },
        {
          name: "color",
          type: "ordinal",
          domain: ["sluice", "node", "native", "bench"],
          range: ["#f28e2b", "#a0cbe8", "#d4d4d4", "#b6992d"],
        },
      ],
      legends: [{ fill: "color", orient: "bottom", direction: "horizontal" }],
      marks: [
        {
          type: "rect",
          from: { data: "frames" },
          encode: {
            enter: {
              x: { scale: "x", field: "from" },
              x2: { scale: "x", field: "to" },
              y: { scale: "y", signal: "datum.depth + 1" },
              y2: { scale: "y", field: "depth" },
              fill: { scale: "color", field: "owner" },
              stroke: { value: "white" },
            },
          },
        },
        {
          type: "text",
          from: { data: "frames" },
          encode: {
            enter: {
              x: { scale: "x", field: "from", offset: 3 },
              y: { scale: "y", signal: "datum.depth + 0.5" },
              text: { field: "name" },
              limit: { signal: `max(0.1, (datum.to - datum.from) * ${WIDTH} - 5)` },
              baseline: { value: "middle" },
              fontSize: { value: 10 },
            },
          },
        },
      ],
    }),
    { renderer: "none" },
  );
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}
