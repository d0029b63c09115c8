// The program as a person starts it, and a page as Prometheus reads it.
import { type ChildProcess, spawn } from "node:child_process";
import { on, once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { WebSocketStream } from "sluice";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildFromSources } from "./build-from-sources.ts";

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

/** Starts it and waits until it says where it listens. */
async function startListening(...args: string[]) {
  const run = start("--port", "0", ...args);
  for await (const [line] of on(createInterface(run.child.stdout), "line", { close: ["close"] })) {
    const port = /^Metrics: +http:\/\/127\.0\.0\.1:(\d+)\/metrics$/.exec(line as string)?.[1];
    if (port !== undefined)
      return { ...run, url: `ws://127.0.0.1:${port}/echo`, page: `http://127.0.0.1:${port}/metrics` };
  }
  throw new Error(`The program ended before it listened: ${(await run.exit).errors}`);
}

/** The page's samples by name and labels. */
async function scrape(page: string): Promise<Map<string, number>> {
  const response = await fetch(page);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

/** Scrapes until the page says so. */
async function scrapeUntil(
  page: string,
  fits: (samples: Map<string, number>) => boolean,
): Promise<Map<string, number>> {
  for (;;) {
    const samples = await scrape(page);
    if (fits(samples)) return samples;
  }
}

describe("the page under /metrics", () => {
  it("shows what connections have done, also when they are gone", async () => {
    const { url, page, child, exit } = await startListening();
    expect((await scrape(page)).get("sluice_connections_total")).toBe(0);
    const stream = new WebSocketStream(url);
    const { readable, writable } = await stream.opened;
    await writable.getWriter().write("hello");
    expect((await readable.getReader().read()).value).toBe("hello");
    const open = await scrape(page);
    const traffic = {
      'sluice_messages_total{direction="in"}': 1,
      'sluice_messages_total{direction="out"}': 1,
      'sluice_bytes_total{direction="in"}': 11,
      'sluice_bytes_total{direction="out"}': 7,
      sluice_connections_total: 1,
    };
    expect(Object.fromEntries(open)).toMatchObject({ ...traffic, sluice_connections: 1 });
    expect(open.has("process_resident_memory_bytes")).toBe(true);
    expect(open.get('sluice_fallbacks{what="zlib"}')).toBe(0);
    const end = 'sluice_closes_total{code="4001"}';
    stream.close({ closeCode: 4001 });
    const closed = await scrapeUntil(page, (all) => all.get("sluice_connections") === 0 && all.get(end) === 1);
    expect(Object.fromEntries(closed)).toMatchObject({
      ...traffic,
      'sluice_bytes_total{direction="in"}': 19,
      'sluice_bytes_total{direction="out"}': 11,
      sluice_closes_unclean_total: 0,
    });
    expect(closed.get("sluice_open_seconds_total")).toBeGreaterThanOrEqual(
      open.get("sluice_open_seconds_total") as number,
    );
    expect((await fetch(page.replace("/metrics", "/elsewhere"))).status).toBe(404);
    child.kill("SIGINT");
    expect((await exit).code).toBe(0);
  });

  it("shows a refusal with its reason", async () => {
    const { url, page } = await startListening();
    const stream = new WebSocketStream(url, { origin: "https://evil.example" });
    await expect(stream.opened).rejects.toMatchObject({ name: "WebSocketError" });
    expect((await scrape(page)).get('sluice_handshakes_refused_total{reason="origin"}')).toBe(1);
  });

  it("shows who waits for whom: a client of the demo that reads nothing", async () => {
    const { page } = await startListening("--demo", "2");
    const samples = await scrapeUntil(page, (all) => (all.get('sluice_output_seconds_total{state="peer"}') ?? 0) > 0);
    expect(samples.get('sluice_input_seconds_total{state="paused"}')).toBeGreaterThan(1);
    expect(samples.get('sluice_held_bytes{direction="out"}')).toBeLessThan(1_048_576);
  });
});

describe("the end", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("on %s the clients are told first", async (signal) => {
    const { url, child, exit } = await startListening("--demo", "2");
    const stream = new WebSocketStream(url);
    await stream.opened;
    child.kill(signal);
    expect(await stream.closed).toEqual({ closeCode: 1001, reason: "" });
    expect(await exit).toMatchObject({ code: 0, errors: "" });
  });
});

describe("the command line", () => {
  it("--help says what there is", async () => {
    const { code, output, errors } = await start("--help").exit;
    expect([code, errors]).toEqual([0, ""]);
    expect(output).toContain("/metrics");
    for (const option of ["--host", "--port", "--demo", "--help"]) expect(output).toContain(option);
  });

  it.each([
    [["--port", "x"], "--port must be a whole number from 0 to 65535: current value is x\n"],
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
    expect(errors).toBe(`Another program listens on 127.0.0.1:${port}. Choose another --port, or 0 for any.\n`);
  });
});
