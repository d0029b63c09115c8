import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// A promise that rejects with nobody to see it is a failure at once, also in a process that has a handler for those, and
// also in the programs that tests start: they inherit the environment.
const STRICT = "--unhandled-rejections=strict";

const src = fileURLToPath(new URL("packages/sluice/src/", import.meta.url));

export default defineConfig({
  resolve: {
    // Tests and examples import the package by its published names and get its sources: nothing has to be built first.
    alias: [
      { find: /^sluice$/, replacement: `${src}index.ts` },
      { find: /^sluice\/([a-z-]+)$/, replacement: `${src}$1.ts` },
    ],
  },
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts", "examples/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    // Not one test waits for real time on purpose; these are for a machine whose cores are all busy.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    restoreMocks: true,
    execArgv: [STRICT],
    env: { NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} ${STRICT}`.trim() },
    passWithNoTests: false,
  },
});
