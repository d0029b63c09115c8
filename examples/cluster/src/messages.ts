// What the processes say to each other.
import type { ChildProcess } from "node:child_process";

/** How a worker is to be run. */
export interface WorkerSettings {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly reusePort: boolean;
}

/** How a client process of the measurement is to be run. */
export interface ClientSettings {
  readonly url: string;
  readonly connections: number;
  /** Messages under way on each connection. */
  readonly pipeline: number;
}

/** What a process has used and done since it started. */
export interface Usage {
  readonly processorSeconds: number;
  /** Messages that came back; of the server's processes 0, they do not count. */
  readonly echoes: number;
  /** Open connections of each worker. */
  readonly connections: readonly number[];
  /** When this was so, on the machine's clock. */
  readonly atMs: number;
}

/** To a worker or to a client: stop ends in order. */
export type Command = { type: "usage" } | { type: "stop" };

/** From a worker, a client, or the server's first process. */
export type Report =
  | { type: "ready"; port: number }
  | { type: "failed"; text: string }
  | { type: "usage"; usage: Usage };

/** What this process has used. */
export function getUsage(echoes: number, connections: readonly number[]): Usage {
  const { user, system } = process.cpuUsage();
  const atMs = performance.timeOrigin + performance.now();
  return { processorSeconds: (user + system) / 1_000_000, echoes, connections, atMs };
}

/** Tells the process that started this one. Nobody may be listening: then it is nobody's loss. */
export function report(message: Report): void {
  if (process.connected) process.send?.(message);
}

/** The next report of this kind. Rejects if the process says that it failed, or ends first. */
export function waitFor<Type extends "ready" | "usage">(
  child: ChildProcess,
  type: Type,
): Promise<Extract<Report, { type: Type }>> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown): void => {
      const received = message as Report;
      if (received.type === "failed") settle(() => reject(new Error(received.text)));
      else if (received.type === type) settle(() => resolve(received as Extract<Report, { type: Type }>));
    };
    const onExit = (code: number | null, signal: string | null): void => {
      settle(() => reject(new Error(`A process ended (${signal ?? code}) before its report "${type}"`)));
    };
    const settle = (then: () => void): void => {
      child.off("message", onMessage).off("exit", onExit);
      then();
    };
    child.on("message", onMessage).on("exit", onExit);
  });
}

/** Asks a process what it has used. */
export async function askUsage(child: ChildProcess): Promise<Usage> {
  const answer = waitFor(child, "usage");
  // One that has just ended cannot be asked any more; its exit rejects the answer.
  child.send({ type: "usage" } satisfies Command, () => {});
  return (await answer).usage;
}
