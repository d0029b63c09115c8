/** What a process holds at a moment, after everything that can be freed was. */
export interface ProcessSample {
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
  readonly rss: number;
  /** `process.getActiveResourcesInfo()`, counted. */
  readonly resources: Readonly<Record<string, number>>;
}

/** Needs `node --expose-gc`. */
export async function takeSample(): Promise<ProcessSample> {
  const collectGarbage = (globalThis as { gc?: () => void }).gc;
  if (collectGarbage === undefined) throw new Error("Cannot measure as there is no gc(): start node with --expose-gc");
  for (let round = 0; round < 2; round++) {
    collectGarbage();
    // Finalizers run in tasks of their own.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  return { heapUsed, external, arrayBuffers, rss, resources };
}
