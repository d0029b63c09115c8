import { defineConfig } from "vitest/config";
import base from "./vitest.config.ts";

/** The protocol core's own tests, which have to take every branch of it. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ["packages/sluice/src/protocol/**/*.test.ts"],
    coverage: {
      enabled: true,
      provider: "v8",
      include: ["packages/sluice/src/protocol/**/*.ts"],
      exclude: ["**/*.test.ts", "**/*.test-support.ts"],
      reporter: [["text", { skipFull: true }]],
      thresholds: { branches: 100 },
    },
  },
});
