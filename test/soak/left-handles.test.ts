import { expect, it } from "vitest";
import { findLeftHandles } from "./left-handles.ts";
import type { ProcessSample } from "./process-sample.ts";

const sample = (resources: ProcessSample["resources"]): ProcessSample => {
  return { heapUsed: 0, external: 0, arrayBuffers: 0, rss: 0, resources };
};

it("findLeftHandles() finds those that are new or more, and no others", () => {
  const before = sample({ TCPServerWrap: 2, Timeout: 3, PipeWrap: 2 });
  expect(findLeftHandles(before, sample({ TCPServerWrap: 2, Timeout: 1, PipeWrap: 5 }))).toEqual([]);
  expect(findLeftHandles(before, sample({ TCPServerWrap: 3, Timeout: 3, TLSWrap: 4 }))).toEqual([
    "1 TCPServerWrap",
    "4 TLSWrap",
  ]);
});
