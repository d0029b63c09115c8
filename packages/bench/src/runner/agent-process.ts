import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Commands } from "../agent/commands.ts";

/** How long any command may take before the process counts as stuck, in milliseconds. */
const TIMEOUT_MS = 60_000;

const program = fileURLToPath(new URL("./agent.js", import.meta.url));

/** How to start a measured process. */
export interface AgentOptions {
  /** The runtime's binary, and its arguments before the program. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** A name of `src/peers`. */
  readonly peer: string;
  readonly profilePath?: string | undefined;
}

/** A measured process, and the commands it takes. */
export class AgentProcess {
  readonly #child: ChildProcess;
  readonly #waiting: Map<number, { resolve(value: unknown): void; reject(error: Error): void }> = new Map();
  readonly #name: string;
  #lastId = 0;
  #partial = "";
  #errors = "";

  private constructor(options: AgentOptions) {
    const [command, ...args] = options.command;
    this.#name = options.peer;
    const own = options.profilePath === undefined ? [options.peer] : [options.peer, options.profilePath];
    this.#child = spawn(command, [...args, program, ...own], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#receive(text));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-4000);
    });
    this.#child.on("error", (error) => this.#fail(error));
    this.#child.on("exit", (code, signal) => {
      this.#fail(new Error(`The process of ${this.#name} ended (${signal ?? code}): ${this.#errors}`));
    });
    // A process that has just ended no longer reads; its exit tells more.
    this.#child.stdin?.on("error", () => {});
  }

  /** Starts a process. @returns once it takes commands @throws if it does not start */
  static async start(options: AgentOptions): Promise<AgentProcess> {
    const agent = new AgentProcess(options);
    try {
      await agent.#wait(0);
    } catch (error) {
      agent.stop();
      throw error;
    }
    return agent;
  }

  /** Has a command carried out. @throws what the process answers with, or that it ended, or does not answer */
  ask<Name extends keyof Commands>(
    name: Name,
    ...[options]: Parameters<Commands[Name]>
  ): Promise<ReturnType<Commands[Name]>> {
    const id = ++this.#lastId;
    const answer = this.#wait(id) as Promise<ReturnType<Commands[Name]>>;
    this.#child.stdin?.write(`${JSON.stringify({ id, name, options })}\n`);
    return answer;
  }

  /** Ends the process, at once. */
  stop(): void {
    this.#child.kill("SIGKILL");
  }

  #wait(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`No answer from ${this.#name} within ${TIMEOUT_MS / 1000} s: ${this.#errors}`));
      }, TIMEOUT_MS);
      this.#waiting.set(id, {
        resolve(value) {
          clearTimeout(timer);
          resolve(value);
        },
        reject(error) {
          clearTimeout(timer);
          reject(error);
        },
      });
      if (this.#child.exitCode !== null) this.#fail(new Error(`The process of ${this.#name} has ended`));
    });
  }

  #receive(text: string): void {
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() as string;
    for (const line of lines) {
      if (!line.startsWith("{")) continue;
      const { id, result, error } = JSON.parse(line) as { id: number; result?: unknown; error?: string };
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(`${this.#name}: ${error}`));
    }
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
