// Runs bench.ts on any Node: bundled first, since Node 20 does not take TypeScript.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = import.meta.dirname;
const src = fileURLToPath(new URL("../../packages/sluice/src/", import.meta.url));
const directory = mkdtempSync(join(folder, ".bench-"));
const outfile = join(directory, "bench.mjs");
try {
  await build({
    entryPoints: [join(folder, "bench.ts")],
    outfile,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    plugins: [
      {
        name: "sources",
        setup({ onResolve }) {
          onResolve({ filter: /^sluice\/server$/ }, () => ({ path: `${src}server.ts` }));
          onResolve({ filter: /^#connect$/ }, () => ({ path: `${src}node/connect.ts` }));
          onResolve({ filter: /bundle\.mjs$/ }, () => ({
            path: fileURLToPath(new URL("../../packages/polyfill/bundle.mjs", import.meta.url)),
            external: true,
          }));
        },
      },
    ],
    define: { "import.meta.url": JSON.stringify(pathToFileURL(join(folder, "bench.ts")).href) },
  });
  process.env.BENCH_FOLDER = new URL("./", import.meta.url).href;
  await import(pathToFileURL(outfile).href);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
