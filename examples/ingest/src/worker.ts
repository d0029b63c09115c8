import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { ProcessStatus, Report } from "./processes.ts";
import { UserError } from "./user-error.ts";

/** What a worker tells on the way. */
export interface WorkerListener<Status extends ProcessStatus> {
  onStatus(status: Status): void;
  /** A line for the person at the terminal. */
  onProblem(text: string): void;
}

/** One of the two child processes. */
export class Worker<Command extends object, Status extends ProcessStatus> {
  readonly #child: ChildProcess;
  readonly #reports: Map<string, (report: never) => void> = new Map();
  readonly #failed: Promise<never>;
  #isFinished = false;

  /** Starts it. @param file the file's name in the build, without extension */
  constructor(name: string, file: string, listener: WorkerListener<Status>) {
    // Detached: Ctrl-C is for the process that draws the display, which then tells the others what to do.
    const path = new URL(`./${file}.js`, import.meta.url);
    this.#child = fork(path, { detached: true, stdio: ["ignore", "pipe", "pipe", "ipc"] });
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      if (output !== null) createInterface(output).on("line", (line) => listener.onProblem(`${name}: ${line}`));
    }
    this.#failed = new Promise((_, reject) => {
      this.#child.on("message", (report: Report<Status>) => {
        if (report.type === "status") listener.onStatus(report.status);
        else if (report.type === "problem") listener.onProblem(report.text);
        else if (report.type === "failed") reject(new UserError(report.message, report.advice));
        else {
          if (report.type === "finished") {
            this.#isFinished = true;
            listener.onStatus(report.status);
          }
          this.#reports.get(report.type)?.(report as never);
        }
      });
      this.#child.on("error", (error) => reject(error));
      this.#child.on("exit", (code, signal) => {
        if (!this.#isFinished) reject(new UserError(`The ${name} ended early (${signal ?? code})`, ADVICE));
      });
    });
    this.#failed.catch(() => {}); // whoever waits for a report learns of it
  }

  /** Rejects when it fails, and else never settles. */
  get failed(): Promise<never> {
    return this.#failed;
  }

  /** Tells it something. */
  send(command: Command): void {
    if (this.#child.connected) this.#child.send(command, () => {}); // a failure to send shows as its end
  }

  /** The next report of a type. @throws {UserError} if the process fails before */
  next<Type extends Report["type"]>(type: Type): Promise<Extract<Report<Status>, { type: Type }>> {
    const report = new Promise<never>((resolve) => this.#reports.set(type, resolve));
    return Promise.race([report, this.#failed]);
  }

  /** Tells it to end, and kills it if it has not done so within `graceMs`. */
  async end(command: Command, graceMs: number): Promise<void> {
    if (this.#hasEnded) return;
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), graceMs);
    const exit = once(this.#child, "exit");
    this.send(command);
    await exit;
    clearTimeout(timer);
  }

  /** Ends it at once if it still runs. */
  async kill(): Promise<void> {
    if (this.#hasEnded) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }

  get #hasEnded(): boolean {
    return this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

const ADVICE = "Look at the lines above for the reason. The database holds what was committed until then.";
