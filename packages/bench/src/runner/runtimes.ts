import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/*
 * Other runtimes are registry packages that ship their binary. They are large, so they are not dependencies but fetched by
 * the first run that wants them, into `.runtimes`. What cannot be had is reported and left out.
 */

const folder = fileURLToPath(new URL("../.runtimes/", import.meta.url));

/** A runtime's binary, or why there is none. */
export type Runtime = { readonly command: string; readonly version: string } | { readonly problem: string };

const found = new Map<string, Runtime>();

/** @param name "node" for the one that runs this, a line of Node such as "24", "bun" or "deno" */
export function findRuntime(name: string): Runtime {
  let runtime = found.get(name);
  if (runtime === undefined) {
    runtime = name === "node" ? describe(process.execPath) : fetchRuntime(name);
    found.set(name, runtime);
  }
  return runtime;
}

function fetchRuntime(name: string): Runtime {
  if (process.versions.node.split(".")[0] === name) return describe(process.execPath);
  const modules = `${folder}${name}/node_modules/`;
  try {
    if (!existsSync(modules)) {
      mkdirSync(`${folder}${name}`, { recursive: true });
      writeFileSync(`${folder}${name}/package.json`, '{ "private": true }\n');
      process.stderr.write(`Fetching ${name} …\n`);
      // Only the package of this platform, whose binary is inside: no install script is needed.
      const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", getPackage(name)];
      execFileSync("npm", args, { cwd: `${folder}${name}`, stdio: ["ignore", "ignore", "pipe"], timeout: 300_000 });
    }
    return describe(findBinary(name, modules));
  } catch (error) {
    return { problem: `${name} cannot be installed here: ${(error as Error).message.split("\n")[0]}` };
  }
}

function getPackage(name: string): string {
  if (name === "bun" || name === "deno") return name;
  return `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}@${name}`;
}

/** The binary lies in a package beside the one named, whose name has the platform in it. */
function findBinary(name: string, modules: string): string {
  const suffix = process.platform === "win32" ? ".exe" : "";
  if (name === "deno") return findIn(`${modules}@deno/`, `deno${suffix}`);
  if (name === "bun") return findIn(`${modules}@oven/`, `bin/bun${suffix}`);
  return findIn(modules, `bin/node${suffix}`);
}

function findIn(parent: string, file: string): string {
  for (const entry of readdirSync(parent)) {
    if (existsSync(`${parent}${entry}/${file}`)) return `${parent}${entry}/${file}`;
  }
  throw new Error("its package has no binary for this platform");
}

function describe(command: string): Runtime {
  const version = execFileSync(command, ["--version"], { encoding: "utf8" }).split("\n")[0].trim();
  return { command, version };
}
