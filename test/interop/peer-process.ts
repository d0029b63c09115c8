import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { listen } from "../support/listen.ts";

/** The processes that run now: none of them outlives this one, also not when a hook ran out of time. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A peer in a process of its own. Keeps what it prints, for the message of a test that fails. */
export class PeerProcess {
  readonly child: ChildProcess;
  readonly command: string;
  #stdout = "";
  #output = "";
  #isGone = false;
  #listeners = new Set<() => void>();

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.command = [command, ...args].join(" ");
    this.child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    running.add(this.child);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
      this.#append(text);
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#append(text));
    this.child.on("error", (error) => {
      this.#isGone = true;
      this.#append(`${error}\n`);
    });
    // "close", not "exit": all of its output has come then.
    this.child.on("close", (code, signal) => {
      this.#isGone = true;
      running.delete(this.child);
      this.#append(`(ended: ${signal ?? code})\n`);
    });
  }

  /** The last of what it printed, on both channels. */
  get output(): string {
    return `${this.command}\n${this.#output.slice(-4_000)}`;
  }

  /** Waits for a match in its standard output. @throws {Error} with the output, if the process ends before */
  async match(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#stdout);
      if (match !== null) return match;
      if (this.#isGone) throw new Error(`The peer ended without ${pattern}: ${this.output}`);
      await new Promise<void>((resolve) => this.#listeners.add(resolve));
    }
  }

  /** Waits until it has ended by itself; gives its standard output. */
  async end(): Promise<string> {
    while (!this.#isGone) await new Promise<void>((resolve) => this.#listeners.add(resolve));
    return this.#stdout;
  }

  /** Waits until a port of the loopback interface accepts connections. @throws {Error} if the process ends before */
  async listens(port: number): Promise<void> {
    for (;;) {
      const socket = net.connect({ port, host: "127.0.0.1" });
      const isOpen = await new Promise<boolean>((resolve) => {
        socket.once("connect", () => resolve(true));
        socket.once("error", () => resolve(false));
      });
      socket.destroy();
      if (isOpen) return;
      if (this.#isGone) throw new Error(`The peer ended before it listened: ${this.output}`);
      // Nothing tells when a foreign program listens: it has to be asked again.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends it by its process id, and waits until it is gone. */
  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.#isGone) return;
    const gone = once(this.child, "close");
    this.child.kill(signal);
    await gone;
  }

  #append(text: string): void {
    this.#output += text;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }
}

/** A port of the loopback interface that was free just now, for programs that cannot pick one themselves. */
export async function findFreePort(): Promise<number> {
  const server = net.createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
