import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);

/** Where the runtimes that are no part of the workspace's dependencies are (scripts/interop.mjs puts them there). */
const runtimes = fileURLToPath(new URL("../../.node-matrix/interop/node_modules/", import.meta.url));

/** The programs of the peers. Python is Debian's own, which is the one that sees Debian's packages. */
export const programs = {
  node: process.execPath,
  node24: join(runtimes, "node-24/bin/node"),
  bun: join(runtimes, "bun/bin/bun"),
  deno: join(runtimes, "deno/deno"),
  python: "/usr/bin/python3",
} as const;

/** Path of a script in peers/. */
export function peerScript(name: string): string {
  return fileURLToPath(new URL(`peers/${name}`, import.meta.url));
}

/** Version of an npm package, or "missing". */
export function npmVersion(name: string): string {
  try {
    let folder = dirname(require.resolve(name));
    for (;;) {
      try {
        const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
        if (manifest.name === name) return manifest.version;
      } catch {
        // No manifest in this folder: the package's own is in one above.
      }
      if (folder === dirname(folder)) return "missing";
      folder = dirname(folder);
    }
  } catch {
    return "missing";
  }
}

/** The first version number that a program prints, or "missing". */
export function programVersion(command: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  return /\d+\.\d+(\.\d+)*/.exec(`${stdout ?? ""}${stderr ?? ""}`)?.[0] ?? "missing";
}

/** Version of a Python module, or "missing". */
export function pythonVersion(module: string): string {
  const attribute = module === "tornado" ? "version" : "__version__";
  return programVersion(programs.python, "-c", `import ${module}; print(${module}.${attribute})`);
}
