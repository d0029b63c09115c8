import { fileURLToPath } from "node:url";
import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.ts";

const shared = mergeConfig(base, {});
// Replaced, not merged: `vitest run` in the root must not find these tests, and this one must find no others.
shared.test = {
  ...base.test,
  root: fileURLToPath(new URL("../..", import.meta.url)),
  include: ["test/interop/**/*.interop.ts"],
  testTimeout: 30_000,
  // A Python or a browser that starts on a busy machine.
  hookTimeout: 60_000,
};

export default shared;
