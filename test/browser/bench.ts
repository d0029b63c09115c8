// Throughput with credit against the engine's plain WebSocket in the same run, and what a reader costs that stops for ten
// seconds. `node test/browser/bench.mjs [engine ...]`
import { readdirSync, readFileSync } from "node:fs";
import type { Measurement } from "./bench-page.ts";
import { bundlePage } from "./bundle-page.ts";
import { type Engine, type EngineName, engines, launch } from "./engines.ts";
import { startServer } from "./server.ts";

const RUNS = 5;
const names = (process.argv.length > 2 ? process.argv.slice(2) : Object.keys(engines)) as EngineName[];
const script = await bundlePage(new URL(`${process.env.BENCH_FOLDER}bench-page.ts`));
const server = await startServer(
  new Map([
    ["/", { type: "text/html", content: '<!doctype html><script src="page.js"></script>' }],
    ["/page.js", { type: "text/javascript", content: script }],
  ]),
);
try {
  for (const name of names) await benchEngine(name);
} finally {
  await server.close();
}

async function benchEngine(name: EngineName): Promise<void> {
  const engine = await launch(name);
  try {
    await engine.open(server.httpUrl);
    const ways = name === "chromium" ? (["plain", "credit", "native"] as const) : (["plain", "credit"] as const);
    for (const [size, count] of [
      [16_384, 4_096],
      [1_024, 16_384],
      [65_536, 1_024],
    ] as const) {
      const speeds = new Map<string, number[]>(ways.map((way) => [way, []]));
      // In turns, so that what else the machine does meets all of them; the first round warms up.
      for (let run = -1; run < RUNS; run++) {
        for (const way of ways) {
          const speed = await measure(engine, way, size, count);
          if (run >= 0) speeds.get(way)?.push(speed);
        }
      }
      const plain = median(speeds.get("plain") ?? []);
      for (const [way, values] of speeds) {
        const speed = median(values);
        const share = Math.round((100 * speed) / plain);
        console.log(`${name}, ${size} B, ${way}: ${speed.toFixed(0)} MiB/s (${share} % of plain)`);
      }
    }
    await benchStall(engine, name, "credit", { credit: "require" });
    if (name === "chromium") await benchStall(engine, name, "native", {});
  } finally {
    await engine.close();
  }
}

async function measure(engine: Engine, way: string, size: number, count: number): Promise<number> {
  const url = `${server.httpUrl.replace("http", "ws")}sluice/flood?size=${size}&count=${count}`;
  const result = (await engine.evaluate(
    `return measure(${JSON.stringify(way)}, ${JSON.stringify(url)}, 1048576)`,
  )) as Measurement;
  return result.mebibytesPerSecond;
}

async function benchStall(engine: Engine, name: string, way: string, options: object): Promise<void> {
  await engine.open(server.httpUrl);
  const id = `stall-${name}-${way}`;
  const url = `${server.httpUrl.replace("http", "ws")}sluice/flood?size=16384&count=8192&id=${id}`;
  // What a page costs that has begun to work at all is not what is asked here.
  await measure(engine, way, 16_384, 1_024);
  const before = memoryOf(process.pid);
  await engine.evaluate(`return stall(${JSON.stringify(url)}, ${JSON.stringify(options)})`);
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const grown = memoryOf(process.pid) - before;
  const { accepted } = (await (await fetch(`${server.httpUrl}report?id=${id}`)).json()) as { accepted: number };
  const result = await engine.evaluate("return finish()");
  console.log(
    `${name}, reader stops for 10 s, ${way}: server's accepted bytes ${mebi(accepted)} MiB, ` +
      `browser's memory ${grown < 0 ? "" : "+"}${mebi(grown)} MiB, then ${JSON.stringify(result)}`,
  );
}

function mebi(bytes: number): string {
  return (bytes / 1_048_576).toFixed(2);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Proportional set size of all descendants of a process, in bytes: shared pages count once (Linux). */
function memoryOf(root: number): number {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  let sum = 0;
  for (const pid of parents.keys()) {
    let ancestor = parents.get(pid);
    while (ancestor !== undefined && ancestor !== root) ancestor = parents.get(ancestor);
    if (ancestor !== root) continue;
    try {
      const kibibytes = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
      sum += Number(kibibytes ?? 0) * 1024;
    } catch {
      // It ended meanwhile.
    }
  }
  return sum;
}
