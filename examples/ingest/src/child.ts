// The part that both child processes have in common.
import type { ProcessStatus, Report } from "./processes.ts";
import { UserError } from "./user-error.ts";

/** Tells the process that started this one, if it is still there. */
export function report<Status extends ProcessStatus>(message: Report<Status>): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve()); // an error: nobody is there to be told
  });
}

/** Tells what went wrong, and ends this process. */
export async function fail(error: unknown): Promise<never> {
  const known = error instanceof UserError;
  const message = error instanceof Error ? error.message : String(error);
  const advice = known
    ? error.advice
    : `This looks like a defect: ${error instanceof Error ? error.stack : "no stack"}`;
  await report({ type: "failed", message, advice });
  process.exit(1);
}

/** This process's memory, now and at its peak. */
export function measureMemory(): { rssBytes: number; peakRssBytes: number } {
  const rssBytes = process.memoryUsage.rss();
  return { rssBytes, peakRssBytes: Math.max(rssBytes, process.resourceUsage().maxRSS * 1024) };
}
