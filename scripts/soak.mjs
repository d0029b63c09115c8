// `pnpm soak`: many connections for a long time, with stalls and kills; nothing may be lost, and nothing may grow.
// docs/soak.md explains it, `pnpm soak --help` its options. The code is in test/soak.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { root } from "./run.mjs";

// Bundles of the sources, as Node 20 runs no TypeScript.
const folder = mkdtempSync(join(tmpdir(), "sluice-soak-"));
try {
  await build({
    entryPoints: ["main", "server-process", "client-process"].map((name) => `${root}test/soak/${name}.ts`),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    // Of what is bundled with it, some still calls require() for Node's own modules.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: "warning",
  });
  const { main } = await import(pathToFileURL(join(folder, "main.mjs")).href);
  const programs = { server: join(folder, "server-process.mjs"), client: join(folder, "client-process.mjs") };
  process.exitCode = await main(process.argv.slice(2), programs);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
