// For the tests: the program as `pnpm build` makes it, except that the library comes from its sources, so that nothing has to
// be built first and nothing old is tested.
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const example = fileURLToPath(new URL("../", import.meta.url));
const library = fileURLToPath(new URL("../../../packages/sluice/src/", import.meta.url));

/** Builds into a directory of its own, inside the example's: there its dependencies are found. */
export async function buildFromSources(): Promise<{ main: string; dispose(): Promise<void> }> {
  const { dependencies } = JSON.parse(await readFile(join(example, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  await mkdir(join(example, "dist"), { recursive: true });
  const directory = await mkdtemp(join(example, "dist", "test-"));
  await build({
    absWorkingDir: example,
    entryPoints: ["src/main.ts"],
    outdir: directory,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    sourcemap: "inline",
    alias: { sluice: join(library, "index.ts"), "sluice/server": join(library, "server.ts") },
    external: Object.keys(dependencies).filter((name) => name !== "sluice"),
    logLevel: "warning",
  });
  return { main: join(directory, "main.js"), dispose: () => rm(directory, { recursive: true, force: true }) };
}
