// The program as a person starts it, and its clients.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, Socket } from "node:net";
import { createInterface } from "node:readline";
import { WebSocketStream } from "sluice";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildFromSources } from "./build-from-sources.ts";
import { formatTable, median } from "./measure-table.ts";
import { FIRST_PAUSE_MS, LONGEST_PAUSE_MS, RestartPause, STABLE_MS } from "./restart-pause.ts";
import { hasReusePort, requireReusePort } from "./reuse-port.ts";

let build: Awaited<ReturnType<typeof buildFromSources>>;
const children: ChildProcess[] = [];

beforeAll(async () => {
  build = await buildFromSources();
});
afterAll(() => build.dispose());
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function start(file: string, ...args: string[]) {
  const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let output = "";
  let errors = "";
  child.stdout.on("data", (text) => {
    output += text;
  });
  child.stderr.on("data", (text) => {
    errors += text;
  });
  const exit = once(child, "close").then(([code, signal]) => ({ code, signal, output, errors }));
  return { child, exit };
}

/** Starts it and waits until it says where it listens. */
async function startListening(...args: string[]) {
  const run = start(build.main, "--port", "0", ...args);
  const url = await waitForLine(run.child.stdout, /^WebSocket: (ws:\/\/127\.0\.0\.1:\d+\/echo)$/);
  return { ...run, url };
}

/** The first group of the first line that fits. */
async function waitForLine(stream: NodeJS.ReadableStream | null, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = createInterface(stream as NodeJS.ReadableStream);
    lines.on("line", (line) => {
      const match = pattern.exec(line);
      if (match !== null) resolve(match[1]);
    });
    lines.once("close", () => reject(new Error(`The program ended without a line like ${pattern}`)));
  });
}

/** Connects, reads which worker it is, and has one message echoed. */
async function connect(url: string) {
  const stream = new WebSocketStream(url);
  const { readable, writable } = await stream.opened;
  const reader = readable.getReader();
  const { value: worker } = await reader.read();
  await writable.getWriter().write("hello");
  expect((await reader.read()).value).toBe("hello");
  return { stream, reader, worker };
}

/** The way in which workers share the port; the second where this machine can. */
const modes = hasReusePort(process.versions.node, process.platform) ? [[], ["--reuse-port"]] : [[]];

describe("two workers", () => {
  it("share eight clients, and on SIGTERM each client gets 1012 and the program ends with 0", async () => {
    const { url, child, exit } = await startListening("--workers", "2");
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect(url)));
    expect(new Set(clients.map(({ worker }) => worker))).toEqual(new Set(["worker 1", "worker 2"]));
    child.kill("SIGTERM");
    const ends = await Promise.all(clients.map(({ stream }) => stream.closed));
    expect(ends).toEqual(clients.map(() => ({ closeCode: 1012, reason: "" })));
    expect(await exit).toMatchObject({ code: 0, errors: "" });
  });

  it.each(modes)("%s SIGINT ends them in order, too", async (...mode) => {
    const { url, child, exit } = await startListening("--workers", "2", ...mode);
    const { stream } = await connect(url);
    child.kill("SIGINT");
    expect(await stream.closed).toEqual({ closeCode: 1012, reason: "" });
    expect(await exit).toMatchObject({ code: 0, errors: "" });
  });
});

describe("the end", () => {
  it("comes at once with a second signal", async () => {
    const { url, child, exit } = await startListening("--workers", "1");
    // A client that never answers the Close frame would be waited for.
    const { hostname, port } = new URL(url);
    const socket = new Socket().connect(Number(port), hostname);
    socket.on("error", () => {});
    socket.write(
      `GET /echo HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    const closeFrame = new Promise<void>((resolve) => {
      let received = "";
      socket.on("data", (bytes) => {
        received += bytes.toString("latin1");
        // FIN, Close, two bytes: 1012
        if (received.endsWith("\x88\x02\x03\xf4")) resolve();
      });
    });
    await once(socket, "data");
    child.kill("SIGTERM");
    await closeFrame;
    child.kill("SIGTERM");
    expect(await exit).toMatchObject({ code: 143, signal: null });
    socket.destroy();
  });
});

describe("a worker that dies", () => {
  it("is replaced by one with its number", async () => {
    const { url, child } = await startListening("--workers", "1");
    const { stream } = await connect(url);
    const back = waitForLine(child.stderr, /^(Worker 1) is there again\.$/);
    const pid = await findOnlyChild(child.pid as number);
    process.kill(pid, "SIGKILL");
    await expect(stream.closed).rejects.toMatchObject({ name: "WebSocketError" });
    await back;
    expect(await connect(url)).toMatchObject({ worker: "worker 1" });
  });

  it("is replaced after a pause that grows up to its bound, and is short again after a long life", () => {
    const pause = new RestartPause();
    const pauses = Array.from({ length: 9 }, () => pause.next(0));
    expect(pauses.slice(0, 4)).toEqual([100, 200, 400, 800]);
    expect(pauses.slice(-2)).toEqual([LONGEST_PAUSE_MS, LONGEST_PAUSE_MS]);
    expect([pause.next(STABLE_MS), pause.next(0)]).toEqual([FIRST_PAUSE_MS, 2 * FIRST_PAUSE_MS]);
  });
});

/** The process that this one has started. */
async function findOnlyChild(pid: number): Promise<number> {
  const ps = spawn("ps", ["-A", "-o", "ppid=,pid="], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  for await (const part of ps.stdout) text += part;
  const rows = text.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
  const found = rows.filter(([parent]) => parent === pid);
  expect(found).toHaveLength(1);
  return found[0][1];
}

describe("--reuse-port", () => {
  it.each([
    ["20.19.0", "linux", false],
    ["22.11.0", "linux", false],
    ["22.12.0", "linux", true],
    ["23.0.0", "linux", false],
    ["23.1.0", "linux", true],
    ["24.0.0", "linux", true],
    ["24.0.0", "darwin", false],
  ] as const)("on Node %s and %s: %s", (version, platform, expected) => {
    expect(hasReusePort(version, platform)).toBe(expected);
  });

  it("says what it needs where it would be ignored", () => {
    const text = "--reuse-port needs Linux and Node 22.12, 23.1 or later: this is Node 22.11.0 on linux.";
    expect(() => requireReusePort("22.11.0", "linux")).toThrow(text);
    expect(() => requireReusePort("22.12.0", "linux")).not.toThrow();
  });

  it("serves or is refused, and is never ignored", async () => {
    const run = start(build.main, "--reuse-port", "--port", "0");
    run.child.stdout.once("data", () => run.child.kill("SIGTERM"));
    const { code, output, errors } = await run.exit;
    if (hasReusePort(process.versions.node, process.platform)) {
      expect([code, errors]).toEqual([0, ""]);
      expect(output).toContain("each on a listening socket of its own");
    } else {
      expect([code, output]).toEqual([1, ""]);
      expect(errors).toMatch(/^--reuse-port needs Linux and Node 22\.12, 23\.1 or later: this is Node .+\n$/);
    }
  });
});

describe("the command line", () => {
  it.each(["main", "measure"] as const)("--help of %s says what there is", async (name) => {
    const { code, output, errors } = await start(build[name], "--help").exit;
    expect([code, errors]).toEqual([0, ""]);
    for (const option of ["--workers", "--reuse-port", "--help"]) expect(output).toContain(option);
  });

  it.each([
    [["--workers", "0"], "--workers must be a whole number from 1 to 256: current value is 0\n"],
    [["--prot", "1"], "Unknown option '--prot'. See --help for the options that there are.\n"],
  ])("%j is refused", async (args, text) => {
    expect(await start(build.main, ...args).exit).toMatchObject({ code: 2, output: "", errors: text });
  });

  it("says that a port is taken, and what to do", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const { port } = blocker.address() as { port: number };
    const { code, errors } = await start(build.main, "--port", String(port)).exit;
    blocker.close();
    expect(code).toBe(1);
    expect(errors).toBe(`Another program listens on 127.0.0.1:${port}. Choose another --port, or 0 for any.\n`);
  });
});

describe("the measurement", () => {
  it("prints a row for each setting, and the ratio", async () => {
    const args = ["--rounds", "1", "--seconds", "1", "--connections", "4"];
    const { code, output } = await start(build.measure, ...args).exit;
    expect(code).toBe(0);
    expect(output).toMatch(/^\| 1 \| [\d,]+ \|.*\| 4 \|$/m);
    expect(output).toMatch(/^\| 2 \| [\d,]+ \|.*\| [1-3]\+[1-3] \|$/m);
    expect(output).toMatch(/^2 workers echo \d+\.\d\d times as much as 1 /m);
  });

  it("compares within each round and shows medians", () => {
    const sample = { serverSeconds: 5, clientSeconds: 6, busyProcessors: 2, connections: [4] };
    const samples = (...rates: number[]) => rates.map((echoesPerSecond) => ({ ...sample, echoesPerSecond }));
    const table = formatTable([
      { workers: 1, samples: samples(1000, 2000, 1500) },
      { workers: 2, samples: samples(1100, 3000, 1500) },
    ]);
    expect(table).toContain("| 1 | 1,500 | 1,000 to 2,000 | 5.00 | 6.00 | 2.00 | 4, 4, 4 |");
    expect(table).toContain("2 workers echo 1.10 times as much as 1 (1.00 to 1.50 in 3 rounds).");
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});
