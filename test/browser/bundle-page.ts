import { fileURLToPath } from "node:url";
import { bundle, bundleOptions } from "../../packages/polyfill/bundle.mjs";

/** A script for pages and workers, with the polyfill bundled and minified as it is published. */
export async function bundlePage(entry: URL): Promise<string> {
  const { code } = await bundle({
    ...bundleOptions("polyfill.js"),
    absWorkingDir: fileURLToPath(new URL("../../packages/polyfill/", import.meta.url)),
    entryPoints: [fileURLToPath(entry)],
    sourcemap: false,
    outfile: "page.js",
  });
  return code;
}
