// The server's command. This process serves nobody: it starts the workers, replaces them, and ends them.
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { constants } from "node:os";
import { runCommand, UserError } from "./command-line.ts";
import { type Command, report } from "./messages.ts";
import { HELP, type Options, parseOptions } from "./options.ts";
import { requireReusePort } from "./reuse-port.ts";
import { WorkerPool } from "./worker-pool.ts";

await runCommand(HELP, parseOptions, run);

async function run(options: Options): Promise<void> {
  const { host, workers, reusePort } = options;
  if (reusePort) requireReusePort();
  const port = await findPort(options);
  const pool = new WorkerPool({ ...options, port }, (line) => console.error(line));

  let isStopping = false;
  const stop = async (): Promise<void> => {
    isStopping = true;
    const isInOrder = await pool.stop();
    if (!isInOrder) process.exitCode = 1;
    if (process.connected) process.disconnect();
  };
  const onSignal = (signal: "SIGINT" | "SIGTERM"): void => {
    if (!isStopping) {
      void stop();
      return;
    }
    pool.kill();
    process.exit(128 + constants.signals[signal]);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);

  await pool.start();
  if (isStopping) return;
  console.log(`WebSocket: ws://${host.includes(":") ? `[${host}]` : host}:${port}/echo`);
  console.log(`Workers:   ${workers}, ${reusePort ? "each on a listening socket of its own" : "by node:cluster"}`);
  answerMeasurement(pool, port, stop);
}

/**
 * Any free port has to be found before the workers start: all of them need the same one, and those who replace them later.
 * A port that is taken is told here once, instead of by each worker.
 */
async function findPort({ host, port }: Options): Promise<number> {
  const probe = createServer();
  try {
    probe.listen({ host, port });
    await once(probe, "listening");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "EADDRINUSE") throw new UserError(`Cannot listen on ${host}:${port}: ${message}`);
    throw new UserError(`Another program listens on ${host}:${port}. Choose another --port, or 0 for any.`);
  }
  const found = (probe.address() as AddressInfo).port;
  await new Promise((resolve) => probe.close(resolve));
  return found;
}

/** `measure.js` has started us, and asks what we use. */
function answerMeasurement(pool: WorkerPool, port: number, stop: () => Promise<void>): void {
  if (process.send === undefined) return;
  const answer = (): void => {
    pool.getUsage().then(
      (usage) => report({ type: "usage", usage }),
      (error) => report({ type: "failed", text: String(error) }),
    );
  };
  process.on("message", ({ type }: Command) => {
    if (type === "stop") void stop();
    else answer();
  });
  process.once("disconnect", () => pool.kill());
  report({ type: "ready", port });
}
