import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findPnpm } from "../../scripts/run.mjs";
import { findImports, parseModule } from "../support/module-imports.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const source = join(root, "packages/sluice");
const fixtures = fileURLToPath(new URL("./consumer/", import.meta.url));
const require = createRequire(import.meta.url);

/** Outside of the repository, so that nothing is found by looking upwards. */
const folder = mkdtempSync(join(tmpdir(), "sluice-pack-"));
const project = join(folder, "project");
const installed = join(project, "node_modules/sluice");
let tarball = "";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly imports?: Record<string, unknown>;
  readonly exports: Record<string, { readonly types: string; readonly default: string }>;
  readonly dependencies?: Record<string, string>;
}

const readManifest = (path: string): Manifest => JSON.parse(readFileSync(join(path, "package.json"), "utf8"));

describe("what `pnpm pack` makes of packages/sluice", () => {
  beforeAll(() => {
    refuseStaleBuild();
    const [pnpm = "pnpm", ...first] = findPnpm();
    execute(pnpm, [...first, "pack", "--pack-destination", folder], source);
    tarball = join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "");
    cpSync(fixtures, project, { recursive: true });
    writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
    // Offline: the package brings everything it needs with it.
    execute("npm", ["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", tarball], project);
  }, 120_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("has every entry with its types, and nothing of the sources", () => {
    const manifest = readManifest(installed);
    expect(Object.keys(manifest.exports)).toEqual(Object.keys(readManifest(source).exports));
    for (const { types, default: file } of Object.values(manifest.exports)) {
      expect(existsSync(join(installed, types)), types).toBe(true);
      expect(existsSync(join(installed, file)), file).toBe(true);
    }
    expect(JSON.stringify([manifest.exports, manifest.imports])).not.toContain("src/");
    expect(readdirSync(installed).sort()).toEqual(["LICENSE", "README.md", "dist", "package.json"]);
    expect(manifest.dependencies ?? {}).toEqual({});
  });

  it("has no import in code or types that leads out of it, but to Node", () => {
    const files = readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" });
    const strangers = files
      .filter((name) => /\.(js|d\.ts)$/.test(name))
      .flatMap((name) => {
        const text = readFileSync(join(installed, "dist", name), "utf8");
        return findImports(parseModule(name, text)).map(({ specifier }) => `${name}: ${specifier}`);
      })
      .filter((text) => !/: (node:[a-z_/]+|\.\.?\/.*\.js)$/.test(text));
    expect(strangers).toEqual([]);
  });

  it("passes publint", async () => {
    const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it("passes attw", () => {
    const cli = join(dirname(require.resolve("@arethetypeswrong/cli/package.json")), "dist/index.js");
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [cli, tarball, "--profile", "esm-only", "--no-color"],
      {
        encoding: "utf8",
      },
    );
    expect({ status, output: status === 0 ? "" : stdout + stderr }).toEqual({ status: 0, output: "" });
  });

  it("runs an echo round trip", () => {
    expect(execute(process.execPath, ["echo.mjs"], project)).toBe("echo: hello from outside\nclosed: 1000 done\n");
  });

  it.each(["nodenext", "bundler"])("type-checks a consumer with module resolution %s", (kind) => {
    // A real consumer has these from the registry; the project must not need the network.
    mkdirSync(join(project, "node_modules/@types"), { recursive: true });
    const link = join(project, "node_modules/@types/node");
    if (!existsSync(link)) symlinkSync(join(root, "node_modules/@types/node"), link, "dir");
    expect(typeCheck(`tsconfig.${kind}.json`)).toBe("");
  });

  it("gives a consumer types and not `any`", () => {
    expect(typeCheck("tsconfig.wrong.json").replaceAll(/\(\d+,\d+\)/g, "")).toMatch(/^wrong\.ts: error TS2322: /);
  });
});

/** Packing takes dist/ as it is, so an old one would make this test pass or fail for the wrong reason. */
function refuseStaleBuild(): void {
  const built = join(source, "dist/index.js");
  const newest = Math.max(
    ...readdirSync(join(source, "src"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .map((name) => statSync(join(source, "src", name)).mtimeMs),
  );
  if (!existsSync(built) || statSync(built).mtimeMs < newest) {
    throw new Error("Cannot pack as dist/ is missing or older than the sources: run `pnpm build`");
  }
}

function typeCheck(config: string): string {
  const manifest = require.resolve("typescript/package.json");
  const tsc = join(dirname(manifest), JSON.parse(readFileSync(manifest, "utf8")).bin.tsc);
  return spawnSync(process.execPath, [tsc, "-p", config, "--pretty", "false"], { cwd: project, encoding: "utf8" })
    .stdout;
}

function execute(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? `${stdout}\n${stderr}`}`);
  return stdout;
}
