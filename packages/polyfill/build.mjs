// Builds dist/: the bundles, minified, each with its source map.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { bundle, bundleOptions, bundles } from "./bundle.mjs";

process.chdir(import.meta.dirname);
rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
for (const name of /** @type {(keyof typeof bundles)[]} */ (Object.keys(bundles))) {
  const { code, map } = await bundle(bundleOptions(name));
  writeFileSync(`dist/${name}`, `${code}\n//# sourceMappingURL=${name}.map\n`);
  writeFileSync(`dist/${name}.map`, map);
  console.log(`${name}: ${Buffer.byteLength(code)} bytes`);
}
