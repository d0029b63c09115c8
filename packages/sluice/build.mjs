// Builds dist/: each entry as an ES module, what entries share in chunks, and the type declarations beside them.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, posix, relative } from "node:path";
import { build } from "esbuild";

process.chdir(import.meta.dirname);
const { exports, imports } = JSON.parse(readFileSync("package.json", "utf8"));
const entries = Object.values(exports).map(({ default: file }) => posix.basename(file, ".js"));
rmSync("dist", { recursive: true, force: true });
await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: entries.map((name) => `src/${name}.ts`),
  outdir: "dist",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  sourcemap: true,
  sourcesContent: true,
  logLevel: "warning",
});

const tsc = spawnSync(process.execPath, [findTsc(), "-p", "tsconfig.build.json"], { stdio: "inherit" });
if (tsc.status !== 0) process.exit(1);
for (const file of readdirSync("dist", { recursive: true, encoding: "utf8" })) {
  if (file.endsWith(".d.ts")) resolveImports(file);
}
console.log(`Built sluice: ${entries.join(", ")}`);

/**
 * Makes the imports of a declaration file such that any resolver finds them without the sources: no `.ts`, no `#name`.
 *
 * @param {string} file path below dist/
 */
function resolveImports(file) {
  const path = join("dist", file);
  const text = readFileSync(path, "utf8").replace(/(\bfrom |\bimport\(|\bimport )"([#.][^"]*)"/g, (_, before, name) => {
    const target = name.startsWith("#") ? relativeTo(file, imports[name]) : name;
    return `${before}"${target.replace(/\.ts$/, ".js")}"`;
  });
  writeFileSync(path, text);
}

/**
 * The path of a source file as seen from a file in dist/, where declarations lie as the sources do in src/.
 *
 * @param {string} file path below dist/
 * @param {string} source path below the package
 */
function relativeTo(file, source) {
  const path = posix.relative(posix.dirname(file.replaceAll("\\", "/")), relative("src", source).replaceAll("\\", "/"));
  return path.startsWith(".") ? path : `./${path}`;
}

function findTsc() {
  const manifest = createRequire(import.meta.url).resolve("typescript/package.json");
  return join(manifest, "..", JSON.parse(readFileSync(manifest, "utf8")).bin.tsc);
}
