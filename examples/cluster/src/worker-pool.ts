import { type ChildProcess, fork } from "node:child_process";
import cluster from "node:cluster";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { UserError } from "./command-line.ts";
import { askUsage, type Command, getUsage, type Usage, type WorkerSettings, waitFor } from "./messages.ts";
import type { Options } from "./options.ts";
import { RestartPause } from "./restart-pause.ts";

const workerFile = fileURLToPath(new URL("./worker.js", import.meta.url));

/** The processes that serve. Each has a number, which its successor inherits. */
export class WorkerPool {
  readonly #options: Options;
  readonly #log: (line: string) => void;
  readonly #children: Map<number, ChildProcess> = new Map();
  readonly #pauses: Map<number, RestartPause> = new Map();
  readonly #timers: Map<number, NodeJS.Timeout> = new Map();
  #isStarting = true;
  #isStopping = false;
  #hasFailed = false;

  /**
   * @param options with the port that is to be shared, so not 0
   * @param log told of each worker that dies or is replaced
   */
  constructor(options: Options, log: (line: string) => void) {
    this.#options = options;
    this.#log = log;
  }

  /**
   * Starts all of them, and fulfils when they listen.
   *
   * @throws {UserError} if one of them cannot; then none is left
   */
  async start(): Promise<void> {
    // A signal may come before the first worker.
    if (this.#isStopping) return;
    const ids = Array.from({ length: this.#options.workers }, (_, index) => index + 1);
    try {
      await Promise.all(ids.map((id) => waitFor(this.#start(id), "ready")));
    } catch (error) {
      // A worker that was told to stop before it listened is no fault.
      if (this.#isStopping) return;
      this.kill();
      throw new UserError((error as Error).message);
    }
    this.#isStarting = false;
    if (this.#isStopping) return;
    for (const id of ids) if (!this.#children.has(id)) this.#replace(id, "while others started", 0);
  }

  /**
   * Tells all of them to close their connections in order and to end, and waits for it.
   *
   * @returns whether each did
   */
  async stop(): Promise<boolean> {
    this.#isStopping = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    const exits = [...this.#children.values()].map((child) => once(child, "exit"));
    for (const child of this.#children.values()) {
      // One that is just dying cannot be told any more; its exit says the rest.
      child.send({ type: "stop" } satisfies Command, () => {});
    }
    await Promise.all(exits);
    return !this.#hasFailed;
  }

  /** Ends all of them at once. */
  kill(): void {
    this.#isStopping = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    for (const child of this.#children.values()) child.kill("SIGKILL");
  }

  /** What all processes together have used, this one included. */
  async getUsage(): Promise<Usage> {
    const workers = await Promise.all([...this.#children.values()].map(askUsage));
    const own = getUsage(
      0,
      workers.flatMap(({ connections }) => connections),
    );
    const processorSeconds = workers.reduce((sum, usage) => sum + usage.processorSeconds, own.processorSeconds);
    return { ...own, processorSeconds };
  }

  #start(id: number): ChildProcess {
    const startedAt = performance.now();
    const child = this.#fork(id);
    this.#children.set(id, child);
    child.once("exit", (code, signal) => {
      this.#children.delete(id);
      if (this.#isStopping) this.#hasFailed ||= code !== 0;
      else if (!this.#isStarting) this.#replace(id, signal ?? `exit status ${code}`, performance.now() - startedAt);
    });
    return child;
  }

  #fork(id: number): ChildProcess {
    const { host, port, reusePort } = this.#options;
    const args = [JSON.stringify({ id, host, port, reusePort } satisfies WorkerSettings)];
    if (reusePort) return fork(workerFile, args);
    cluster.setupPrimary({ exec: workerFile, args });
    return cluster.fork().process;
  }

  #replace(id: number, why: string, livedMs: number): void {
    const pause = this.#pauses.get(id) ?? new RestartPause();
    this.#pauses.set(id, pause);
    const pauseMs = pause.next(livedMs);
    this.#log(`Worker ${id} ended (${why}). Another one starts in ${pauseMs} ms.`);
    const restart = (): void => {
      this.#timers.delete(id);
      waitFor(this.#start(id), "ready").then(
        () => this.#log(`Worker ${id} is there again.`),
        // Its exit brings us back here, with a longer pause.
        (error: Error) => this.#log(error.message),
      );
    };
    this.#timers.set(id, setTimeout(restart, pauseMs));
  }
}
