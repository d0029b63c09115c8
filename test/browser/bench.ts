// Throughput with credit against the engine's plain WebSocket in the same run, and what a reader costs that stops for ten
// seconds. `node test/browser/bench.mjs [--rounds=15] [--sizes=16384] [--ways=plain,credit,credit@1048576@8388608,none]
// [--stall=false] [engine ...]`; the numbers behind @ are the window and its cap
import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { bundlePage } from "./bundle-page.ts";
import { type Engine, type EngineName, engines, launch } from "./engines.ts";
import { startServer } from "./server.ts";

const ROUND_MS = 600;
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "15" },
    ways: { type: "string" },
    sizes: { type: "string", default: "16384,1024,65536" },
    stall: { type: "string", default: "true" },
  },
});
const names = (positionals.length > 0 ? positionals : Object.keys(engines)) as EngineName[];
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
    const ways = options.ways?.split(",") ?? ["plain", "credit", ...(name === "chromium" ? ["native"] : [])];
    for (const size of options.sizes.split(",").map(Number)) {
      const speeds = new Map<string, number[]>(ways.map((way) => [way, []]));
      // Short rounds, in each of which all ways have their turn, the order changing: what else the machine does meets all of
      // them, and each round has a ratio of its own. The first round warms up.
      for (let round = -1; round < Number(options.rounds); round++) {
        const order = round % 2 === 0 ? ways : [...ways].reverse();
        for (const way of order) {
          const speed = await measure(engine, way, size);
          if (round >= 0) speeds.get(way)?.push(speed);
        }
      }
      const plain = speeds.get("plain") as number[];
      for (const [way, values] of speeds) {
        const ratios = values.map((speed, round) => (100 * speed) / plain[round]);
        const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(ratios, share).toFixed(0));
        console.log(
          `${name}, ${size} B, ${way}: ${quantile(values, 0.5).toFixed(0)} MiB/s, ` +
            `${middle} % of plain (half of the rounds: ${low} to ${high} %)`,
        );
      }
    }
    if (options.stall !== "true") return;
    await benchStall(engine, name, "credit", { credit: "require" });
    if (name === "chromium") await benchStall(engine, name, "native", {});
  } finally {
    await engine.close();
  }
}

async function measure(engine: Engine, way: string, size: number): Promise<number> {
  // Far more than can be read in that time.
  const url = `${server.httpUrl.replace("http", "ws")}sluice/flood?size=${size}&count=10000000`;
  const [name, windowBytes, maxWindowBytes] = way.split("@");
  const windows =
    windowBytes === undefined ? {} : { windowBytes: Number(windowBytes), maxWindowBytes: Number(maxWindowBytes) };
  const speed = await engine.evaluate(
    `return measure(${[name, url, windows, ROUND_MS].map((argument) => JSON.stringify(argument)).join(", ")})`,
  );
  return speed as number;
}

async function benchStall(engine: Engine, name: string, way: string, options: object): Promise<void> {
  await engine.open(server.httpUrl);
  const id = `stall-${name}-${way}`;
  const url = `${server.httpUrl.replace("http", "ws")}sluice/flood?size=16384&count=8192&id=${id}`;
  // What a page costs that has begun to work at all is not what is asked here.
  await measure(engine, way, 16_384);
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

function quantile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.round((values.length - 1) * share)];
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
