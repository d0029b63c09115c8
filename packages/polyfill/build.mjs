// Builds dist/: the bundles, minified, each with its source map.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { gzipSync } from "fflate";
import { bundleOptions, bundles } from "./bundle.mjs";

process.chdir(import.meta.dirname);
rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
for (const name of /** @type {(keyof typeof bundles)[]} */ (Object.keys(bundles))) {
  const { outputFiles } = await build(bundleOptions(name));
  for (const { path, contents } of outputFiles) {
    writeFileSync(path, contents);
    if (!path.endsWith(".map"))
      console.log(`${name}: ${contents.length} bytes, ${gzipSync(contents, { level: 9, mtime: 0 }).length} compressed`);
  }
}
