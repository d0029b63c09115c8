import type { ProcessSample } from "./process-sample.ts";

/** Active handles that were not there before, as in "3 TCPSocketWrap". */
export function findLeftHandles(before: ProcessSample, after: ProcessSample): string[] {
  return Object.entries(after.resources).flatMap(([type, count]) => {
    if (type === "PipeWrap") return []; // its line to the run
    const more = count - (before.resources[type] ?? 0);
    return more > 0 ? [`${more} ${type}`] : [];
  });
}
