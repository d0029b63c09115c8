import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { KeepaliveOptions } from "../../packages/sluice/src/index.ts";
import type { Order, Report } from "./end-program.ts";

/** Makes one file of a program of this folder and the library's sources, as Node 20 runs no TypeScript. */
export async function bundleProgram(name: string): Promise<{ path: string; remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-hostile-"));
  const path = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(`${name}.ts`, import.meta.url))],
    outfile: path,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    sourcemap: "inline",
    logLevel: "warning",
  });
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A program in a process of its own, which takes orders and makes reports, a line of JSON each. */
export class ToldProcess<SomeOrder, SomeReport> {
  readonly #child: ChildProcess;
  readonly #reports: SomeReport[] = [];
  #waiting: (() => void)[] = [];
  #isGone = false;
  #errors = "";

  /** @param prefix a command that runs the rest of its arguments as a command */
  constructor(program: string, settings: unknown, prefix: readonly string[] = []) {
    const [command, ...args] = [...prefix, process.execPath, program, JSON.stringify(settings)];
    this.#child = spawn(command as string, args, { stdio: ["pipe", "pipe", "pipe"] });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.#reports.push(JSON.parse(line));
      this.#wake();
    });
    this.#child.stderr?.on("data", (text) => {
      this.#errors += text;
    });
    this.#child.stdin?.on("error", () => {}); // killed while it was told something
    this.#child.on("close", () => {
      this.#isGone = true;
      this.#wake();
    });
  }

  /** What it wrote to its standard error: nothing, in a process without a fault. */
  get errors(): string {
    return this.#errors;
  }

  send(order: SomeOrder): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  /** Waits for a report that fits. @throws {Error} if the process ends before */
  async report<Found extends SomeReport>(isWanted: (report: SomeReport) => report is Found): Promise<Found> {
    for (;;) {
      const found = this.#reports.find(isWanted);
      if (found !== undefined) return found;
      if (this.#isGone) throw new Error(`The process ended: ${this.#errors}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** SIGKILL: it has no chance to say good-bye. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    while (!this.#isGone) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** `end-program.ts` in a process of its own. */
export class EndProcess extends ToldProcess<Order, Report> {
  /** @param prefix a command that runs the rest of its arguments as a command */
  constructor(
    program: string,
    settings: { host: string; keepAlive: KeepaliveOptions | false },
    prefix?: readonly string[],
  ) {
    super(program, settings, prefix);
  }

  async port(): Promise<number> {
    return (await this.report((report) => report.event === "listening")).port;
  }
}
