import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What a process used since the mark. */
export interface Usage {
  /** Processor time, user and system, in seconds. */
  readonly cpuSeconds: number;
  /** Resident memory now and at its highest sample, in bytes. */
  readonly rss: number;
  readonly maxRss: number;
  readonly rssAtMark: number;
  /** Highest sample of what the library says it holds, in bytes. */
  readonly maxHeldIn: number;
  readonly maxHeldOut: number;
}

/** Reads the clocks and the memory of this process. */
export class UsageMeter {
  readonly #getHeld: () => { in: number; out: number };
  #cpu = 0;
  #rssAtMark = 0;
  #maxRss = 0;
  #maxHeldIn = 0;
  #maxHeldOut = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param getHeld what the library says it holds at the moment */
  constructor(getHeld: () => { in: number; out: number }) {
    this.#getHeld = getHeld;
  }

  /** Starts counting; with `everyMs` also samples the memory. */
  mark(everyMs = 0): void {
    clearInterval(this.#timer);
    this.#rssAtMark = process.memoryUsage().rss;
    this.#maxRss = 0;
    this.#maxHeldIn = 0;
    this.#maxHeldOut = 0;
    if (everyMs > 0) this.#timer = setInterval(() => this.#sample(), everyMs);
    this.#cpu = readCpuSeconds();
  }

  read(): Usage {
    const cpuSeconds = readCpuSeconds() - this.#cpu;
    clearInterval(this.#timer);
    this.#sample();
    return {
      cpuSeconds,
      rss: process.memoryUsage().rss,
      maxRss: this.#maxRss,
      rssAtMark: this.#rssAtMark,
      maxHeldIn: this.#maxHeldIn,
      maxHeldOut: this.#maxHeldOut,
    };
  }

  #sample(): void {
    const held = this.#getHeld();
    this.#maxHeldIn = Math.max(this.#maxHeldIn, held.in);
    this.#maxHeldOut = Math.max(this.#maxHeldOut, held.out);
    this.#maxRss = Math.max(this.#maxRss, process.memoryUsage().rss);
  }
}

function readCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Collects garbage, as far as the runtime lets itself be told. */
export async function collectGarbage(): Promise<void> {
  for (let run = 0; run < 3; run++) {
    getCollect()();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function getCollect(): () => void {
  const bun = (globalThis as { Bun?: { gc(isSynchronous: boolean): void } }).Bun;
  if (bun !== undefined) return () => bun.gc(true);
  const own = (globalThis as { gc?: () => void }).gc;
  if (own !== undefined) return own;
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
