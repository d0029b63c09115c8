// Builds the server, and the page with everything it needs, into a folder.
import { copyFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { build } from "esbuild";

const absWorkingDir = import.meta.dirname;

/**
 * @param {string} outdir
 * @param {{ server?: import("esbuild").Plugin[], page?: import("esbuild").Plugin[] }} [plugins] for tests, which take the
 *   sources of the packages instead of what was built
 */
export async function buildExample(outdir, { server, page } = {}) {
  mkdirSync(`${outdir}/page`, { recursive: true });
  await build({
    absWorkingDir,
    entryPoints: ["./src/main.ts"],
    outfile: `${outdir}/main.js`,
    bundle: true,
    plugins: server ?? [],
    ...(server === undefined ? { packages: "external" } : {}),
    platform: "node",
    format: "esm",
    target: "node20.19",
    logLevel: "warning",
  });
  await build({
    absWorkingDir,
    entryPoints: ["./src/page.ts"],
    outfile: `${outdir}/page/page.js`,
    bundle: true,
    minify: true,
    plugins: page ?? [],
    format: "esm",
    target: ["chrome111", "firefox119", "safari16.4"],
    logLevel: "warning",
  });
  for (const name of ["index.html", "style.css"])
    copyFileSync(`${absWorkingDir}/src/${name}`, `${outdir}/page/${name}`);
  const require = createRequire(import.meta.url);
  copyFileSync(require.resolve("uplot/dist/uPlot.min.css"), `${outdir}/page/uplot.css`);
}
