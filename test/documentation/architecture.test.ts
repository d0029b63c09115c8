import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type MarkedToken, marked, type Token } from "marked";
import { describe, expect, it } from "vitest";
import { findRows } from "./tables.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const src = "packages/sluice/src";
const text = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");

/** Every piece of code in the text that reads like a path. */
function findPaths(): string[] {
  const paths = new Set<string>();
  marked.walkTokens(marked.lexer(text), (token: Token) => {
    const { type, text: code } = token as MarkedToken & { text?: string };
    if (type === "codespan" && /^[\w.-]+(\/[\w.-]+)*(\/|\.[a-z]+)$|^[\w.-]+(\/[\w.-]+)+$/.test(code ?? "")) {
      paths.add(code as string);
    }
  });
  return [...paths].filter((path) => path.includes("/"));
}

const paths = findPaths();
/** A path starts at the root, or in the sources of the package. */
const resolve = (path: string): string | undefined =>
  [path, `${src}/${path}`].find((candidate) => existsSync(join(root, candidate)));

function foldersIn(path: string): string[] {
  return readdirSync(join(root, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^(\.|node_modules$|dist$)/.test(entry.name))
    .map(({ name }) => `${path}/${name}`);
}

describe("ARCHITECTURE.md", () => {
  it("names no path that does not exist", () => {
    expect(paths.length).toBeGreaterThan(50);
    expect(paths.filter((path) => resolve(path) === undefined)).toEqual([]);
  });

  it.each([src, "packages", "examples", "test"])("names every folder of %s", (folder) => {
    const named = new Set(paths.map((path) => resolve(path)?.replace(/\/$/, "")));
    const folders = foldersIn(folder);
    expect(folders.length).toBeGreaterThan(1);
    // The package itself has a map of its own, which is named by its heading.
    const missing = folders.filter((path) => !named.has(path) && !src.startsWith(`${path}/`));
    expect(missing).toEqual([]);
  });

  it("says of each layer what test/layers.test.ts lets it import", () => {
    const source = readFileSync(join(root, "test/layers.test.ts"), "utf8");
    const table = /const MAY_IMPORT[\s\S]*?= \{([\s\S]*?)\n\};/.exec(source)?.[1] ?? "";
    const layers = [...table.matchAll(/^ {2}"?([\w-]+)"?: \[([\s\S]*?)\],?$/gm)].map(([, layer, list]) => ({
      layer,
      imports: [...(list as string).matchAll(/"([^"]+)"/g)].map(([, name]) => name as string),
    }));
    const rows = findRows(text, "folder").filter((row) => row["may import"] !== undefined);
    expect(rows.map((row) => row.folder?.replace(/[`/]/g, "")).sort()).toEqual(layers.map(({ layer }) => layer).sort());
    for (const { layer, imports } of layers) {
      const cell = rows.find((row) => row.folder === `\`${layer}/\``)?.["may import"] as string;
      const said = [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);
      // "all but": those are what it may not.
      if (cell.startsWith("all but")) {
        const may = layers
          .map((other) => other.layer as string)
          .filter((other) => other !== layer && !said.includes(other));
        expect([...may, "node:"].sort(), layer).toEqual([...imports].sort());
      } else {
        const folders = imports.map((name) => name.replace(/\/.*/, ""));
        expect(said.sort(), layer).toEqual([...new Set(folders)].sort());
      }
    }
  });
});
