import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { bundleOptions } from "../../packages/polyfill/bundle.mjs";

/** A script for pages and workers, with the polyfill bundled as it is published. */
export async function bundlePage(entry: URL): Promise<string> {
  const { outputFiles } = await build({
    ...bundleOptions("polyfill.js"),
    absWorkingDir: fileURLToPath(new URL("../../packages/polyfill/", import.meta.url)),
    entryPoints: [fileURLToPath(entry)],
    sourcemap: false,
    minify: false,
    outfile: "page.js",
  });
  return outputFiles[0].text;
}
