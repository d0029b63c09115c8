// The measurement's command: the server with one worker and with several, one after the other, round by round.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runCommand, UserError } from "./command-line.ts";
import { CLIENT_PROCESSES, MEASURE_HELP, type MeasureOptions, parseMeasureOptions } from "./measure-options.ts";
import { formatTable, type Sample, type Setting } from "./measure-table.ts";
import { askUsage, type ClientSettings, type Command, type Usage, waitFor } from "./messages.ts";
import { requireReusePort } from "./reuse-port.ts";

/** Until the code is compiled and the buffers have their sizes. */
const WARM_UP_MS = 1000;

await runCommand(MEASURE_HELP, parseMeasureOptions, run);

async function run(options: MeasureOptions): Promise<void> {
  if (options.reusePort) requireReusePort();
  const settings = [1, options.workers].map((workers) => ({ workers, samples: [] as Sample[] }) satisfies Setting);
  for (let round = 0; round < options.rounds; round++) {
    // What changes slowly must not always meet the same setting first.
    const order = round % 2 === 0 ? settings : settings.toReversed();
    for (const { workers, samples } of order) {
      const sample = await measure(workers, options);
      samples.push(sample);
      console.error(`Round ${round + 1}, ${workers}: ${Math.round(sample.echoesPerSecond)} echo/s`);
    }
  }
  console.log(formatTable(settings));
}

async function measure(workers: number, options: MeasureOptions): Promise<Sample> {
  const children: ChildProcess[] = [];
  const start = (name: string, args: readonly string[]): ChildProcess => {
    const file = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
    // What a child has to say to a person, such as where it listens, is of no interest here.
    const child = fork(file, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    children.push(child);
    return child;
  };
  try {
    const mode = options.reusePort ? ["--reuse-port"] : [];
    const server = start("main", ["--port", "0", "--workers", String(workers), ...mode]);
    const { port } = await waitFor(server, "ready");
    const connections = options.connections / CLIENT_PROCESSES;
    const settings: ClientSettings = { url: `ws://127.0.0.1:${port}/echo`, connections, pipeline: options.pipeline };
    const clients = Array.from({ length: CLIENT_PROCESSES }, () => start("client", [JSON.stringify(settings)]));
    await Promise.all(clients.map((client) => waitFor(client, "ready")));
    await delay(WARM_UP_MS);
    const before = await look(server, clients);
    await delay(options.seconds * 1000);
    const sample = compare(before, await look(server, clients));
    await stopAll(clients);
    await stopAll([server]);
    return sample;
  } finally {
    for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill();
  }
}

/** The server's usage, and that of each client. */
type Look = readonly [server: Usage, ...clients: Usage[]];

async function look(server: ChildProcess, clients: readonly ChildProcess[]): Promise<Look> {
  const [first, ...others] = await Promise.all([askUsage(server), ...clients.map(askUsage)]);
  return [first, ...others];
}

function compare(before: Look, after: Look): Sample {
  // Each process has looked at its own clock when it counted: an answer that came late falsifies nothing.
  const parts = after.map((usage, index) => {
    const seconds = (usage.atMs - before[index].atMs) / 1000;
    const processorSeconds = usage.processorSeconds - before[index].processorSeconds;
    const echoes = usage.echoes - before[index].echoes;
    return { echoes, rate: echoes / seconds, processorSeconds, busy: processorSeconds / seconds };
  });
  const [server, ...clients] = parts;
  const sum = (name: keyof typeof server, of = clients): number => of.reduce((total, part) => total + part[name], 0);
  const millions = sum("echoes") / 1_000_000;
  if (millions === 0) throw new UserError("Nothing came back: measure longer with --seconds");
  return {
    echoesPerSecond: sum("rate"),
    serverSeconds: server.processorSeconds / millions,
    clientSeconds: sum("processorSeconds") / millions,
    busyProcessors: sum("busy", parts),
    connections: after[0].connections,
  };
}

async function stopAll(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      const exit = once(child, "exit");
      child.send({ type: "stop" } satisfies Command);
      const [code] = await exit;
      if (code !== 0) throw new UserError(`A process did not end in order: exit status ${code}`);
    }),
  );
}
