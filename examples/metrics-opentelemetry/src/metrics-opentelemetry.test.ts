// The program as a person starts it, and its instruments as the SDK reads them.
import { type ChildProcess, spawn } from "node:child_process";
import { channel } from "node:diagnostics_channel";
import { on, once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { WebSocketStream } from "sluice";
import { serve } from "sluice/server";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { buildFromSources } from "./build-from-sources.ts";
import { toValues } from "./line-exporter.ts";
import { observeServer } from "./sluice-metrics.ts";

let build: { main: string; dispose(): Promise<void> };
const children: ChildProcess[] = [];

beforeAll(async () => {
  build = await buildFromSources();
});
afterAll(() => build.dispose());
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function start(...args: string[]) {
  const child = spawn(process.execPath, [build.main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let output = "";
  let errors = "";
  child.stdout.on("data", (text) => {
    output += text;
  });
  child.stderr.on("data", (text) => {
    errors += text;
  });
  const exit = once(child, "close").then(([code]) => ({ code: code as number, output, errors }));
  return { child, exit };
}

describe("observeServer", () => {
  it("has the SDK collect what connections do, and what they have done", async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ readers: [reader] });
    const options = { port: 0, host: "127.0.0.1", keepAlive: { intervalMs: 1, timeoutMs: 60_000 } };
    const server = await serve(options, async (stream) => {
      const { readable, writable } = await stream.opened;
      await readable.pipeTo(writable);
    });
    const stop = observeServer(server, provider.getMeter("test"));
    const collect = async (): Promise<Record<string, number>> => toValues((await reader.collect()).resourceMetrics);
    const collectUntil = async (fits: (values: Record<string, number>) => boolean) => {
      for (;;) {
        const values = await collect();
        if (fits(values)) return values;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    expect(await collect()).toMatchObject({ "sluice.connections": 0, "sluice.connections.opened": 0 });
    const stream = new WebSocketStream((await server.listening).url, { keepAlive: false });
    const { readable, writable } = await stream.opened;
    await writable.getWriter().write("hello");
    expect((await readable.getReader().read()).value).toBe("hello");
    const open = await collectUntil((values) => values["sluice.rtt"] === 1);
    const metrics = (await reader.collect()).resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    const rtt = metrics.find(({ descriptor }) => descriptor.name === "sluice.rtt");
    // In seconds: 0.001 to 10, not the SDK's 0 to 10,000.
    expect(rtt?.dataPoints[0]?.value).toMatchObject({ buckets: { boundaries: expect.arrayContaining([0.001, 10]) } });
    const traffic = {
      "sluice.connections.opened": 1,
      "sluice.messages{direction=in}": 1,
      "sluice.messages{direction=out}": 1,
      "sluice.pongs": 1,
    };
    expect(open).toMatchObject({ ...traffic, "sluice.connections": 1 });
    stream.close({ closeCode: 4001 });
    const closed = await collectUntil((values) => values["sluice.closes{code=4001}"] === 1);
    expect(closed).toMatchObject(traffic);
    for (const [name, value] of Object.entries(open)) {
      if (!/connections$|held|budget.used/.test(name)) expect(closed[name], name).toBeGreaterThanOrEqual(value);
    }
    stop();
    const asking = vi.spyOn(server, "metrics");
    await collect();
    expect(asking).not.toHaveBeenCalled();
    expect(channel("sluice:keepalive:rtt").hasSubscribers).toBe(false);
    await server.close();
    await provider.shutdown();
  });
});

describe("the program", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "exports at intervals; on %s tells its clients, and exports",
    async (signal) => {
      const { child, exit } = start("--port", "0", "--interval", "0.1");
      let url = "";
      for await (const [line] of on(createInterface(child.stderr), "line", { close: ["close"] })) {
        url = /^WebSocket: (ws:\S+)$/.exec(line as string)?.[1] ?? "";
        if (url !== "") break;
      }
      const stream = new WebSocketStream(url);
      await stream.opened;
      for await (const [line] of on(createInterface(child.stdout), "line", { close: ["close"] })) {
        if (JSON.parse(line as string)["sluice.connections"] === 1) break;
      }
      child.kill(signal);
      expect(await stream.closed).toEqual({ closeCode: 1001, reason: "" });
      const { code, output } = await exit;
      expect(code).toBe(0);
      const last = JSON.parse(output.trimEnd().split("\n").at(-1) as string);
      expect(last).toMatchObject({ "sluice.connections": 0, "sluice.closes{code=1001}": 1 });
    },
  );

  it("shows who waits for whom: a client of the demo that reads nothing", async () => {
    const { child, exit } = start("--port", "0", "--interval", "0.1", "--demo", "2");
    let values: Record<string, number> = {};
    for await (const [line] of on(createInterface(child.stdout), "line", { close: ["close"] })) {
      values = JSON.parse(line as string);
      if ((values["sluice.output{state=peer}"] ?? 0) > 0) break;
    }
    expect(values["sluice.input{state=paused}"]).toBeGreaterThan(1);
    expect(values["sluice.held{direction=out}"]).toBeLessThan(1_048_576);
    child.kill("SIGINT");
    expect((await exit).code).toBe(0);
  });

  it("--help says what there is", async () => {
    const { code, output, errors } = await start("--help").exit;
    expect([code, errors]).toEqual([0, ""]);
    for (const option of ["--host", "--port", "--interval", "--demo", "--help"]) expect(output).toContain(option);
  });

  it.each([
    [["--interval", "0"], "--interval must be a number from 0.1 to 3600: current value is 0\n"],
    [["--demo", "1.5"], "--demo must be a whole number from 0 to 1000: current value is 1.5\n"],
    [["--prot", "1"], "Unknown option '--prot'. See --help for the options that there are.\n"],
  ])("%j is refused", async (args, text) => {
    expect(await start(...args).exit).toEqual({ code: 2, output: "", errors: text });
  });

  it("says that a port is taken, and what to do", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const { port } = blocker.address() as { port: number };
    const { code, errors } = await start("--port", String(port)).exit;
    blocker.close();
    expect(code).toBe(1);
    const hint = "it is in use: stop the other process, or choose another port (0 takes a free one)";
    expect(errors).toBe(`Cannot listen on 127.0.0.1, port ${port} as ${hint}\n`);
  });
});
