import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Bytes that this thread of the process holds after everything that can be freed was: the heap, and what hangs outside of it. */
export async function measureProcessMemory(): Promise<number> {
  for (let round = 0; round < 2; round++) {
    collectGarbage();
    // Finalizers run in tasks of their own.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
