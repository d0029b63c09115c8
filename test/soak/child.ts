import { type ChildProcess, spawn } from "node:child_process";
import type { Note, Order } from "./orders.ts";

/** A server or client process, seen from the run. */
export class Child {
  /** With its generation, such as "c1.0". */
  readonly name: string;
  /** Fulfils when it has gone. */
  readonly gone: Promise<void>;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, ((note: Note) => void)[]>();
  #isGone = false;
  #isStarted = false;
  #stderr = "";

  /**
   * @param program a bundle
   * @param prefix a command that runs the rest of its arguments as a command
   */
  constructor(name: string, program: string, prefix: readonly string[], onNote: (note: Note) => void) {
    this.name = name;
    const [command, ...args] = [...prefix, process.execPath, "--expose-gc", program];
    this.#child = spawn(command as string, args, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    this.#child.stderr?.on("data", (text) => {
      this.#stderr = (this.#stderr + text).slice(-4_000);
    });
    this.#child.on("error", (error) => {
      this.#stderr += String(error);
    });
    this.#child.on("message", (note: Note) => {
      for (const resolve of this.#waiting.get(note.type)?.splice(0) ?? []) resolve(note);
      onNote(note);
    });
    this.gone = new Promise((resolve) => {
      this.#child.once("close", () => {
        this.#isGone = true;
        // Whoever waits for a note of it waits in vain: `isGone` says so.
        for (const resolvers of this.#waiting.values()) for (const wake of resolvers.splice(0)) wake({ type: "ready" });
        resolve();
      });
    });
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Whether it was told what to do, and so answers. */
  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** The last of what it wrote to its standard error: nothing, in a process without a fault. */
  get stderr(): string {
    return this.#stderr;
  }

  send(order: Order): void {
    if (order.type === "start") this.#isStarted = true;
    if (this.#child.connected) this.#child.send(order, () => {}); // killed in the meantime
  }

  /** The next note of this type; null if the process ends before, or the time is over. */
  async next<Type extends Note["type"]>(type: Type, timeoutMs: number): Promise<Extract<Note, { type: Type }> | null> {
    if (this.#isGone) return null;
    let timer: NodeJS.Timeout | undefined;
    const note = await new Promise<Note | null>((resolve) => {
      timer = setTimeout(() => resolve(null), timeoutMs);
      const waiting = this.#waiting.get(type) ?? [];
      this.#waiting.set(type, waiting);
      waiting.push(resolve);
    });
    clearTimeout(timer);
    return note?.type === type ? (note as Extract<Note, { type: Type }>) : null;
  }

  /** SIGKILL: no chance to say good-bye. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.gone;
  }
}
