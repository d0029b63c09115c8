// Builds dist/: the runner, and the program of the measured processes, which Node, Bun and Deno all run.
import { rmSync } from "node:fs";
import { build } from "esbuild";

process.chdir(import.meta.dirname);
rmSync("dist", { recursive: true, force: true });
await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: ["./src/main.ts", "./src/agent/agent.ts"],
  outdir: "dist",
  entryNames: "[name]",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20.19",
  sourcemap: true,
  logLevel: "warning",
});
