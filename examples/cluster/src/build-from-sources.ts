// For the tests: the programs as `pnpm build` makes them, except that the library comes from its sources, so that nothing has
// to be built first and nothing old is tested.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const example = fileURLToPath(new URL("../", import.meta.url));
const library = fileURLToPath(new URL("../../../packages/sluice/src/", import.meta.url));

/** Builds into a directory of its own, inside the example's. */
export async function buildFromSources(): Promise<{ main: string; measure: string; dispose(): Promise<void> }> {
  await mkdir(join(example, "dist"), { recursive: true });
  const directory = await mkdtemp(join(example, "dist", "test-"));
  await build({
    absWorkingDir: example,
    entryPoints: ["main", "worker", "measure", "client"].map((name) => `src/${name}.ts`),
    outdir: directory,
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    sourcemap: "inline",
    alias: { sluice: join(library, "index.ts"), "sluice/server": join(library, "server.ts") },
    logLevel: "warning",
  });
  return {
    main: join(directory, "main.js"),
    measure: join(directory, "measure.js"),
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
}
