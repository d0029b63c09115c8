import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type MarkedToken, marked, type Token } from "marked";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Targets of the links of a Markdown file that lie in this repository, without their anchors. */
function findTargets(path: string): string[] {
  const targets: string[] = [];
  marked.walkTokens(marked.lexer(readFileSync(join(root, path), "utf8")), (token: Token) => {
    const { type, href } = token as MarkedToken & { href?: string };
    if (type === "link" && href !== undefined && !/^[a-z]+:/.test(href)) targets.push(href.replace(/#.*$/, ""));
  });
  return targets.filter((target) => target !== "");
}

/** Every Markdown file that people wrote. */
function findDocuments(): string[] {
  const list = (folder: string, recursive: boolean): string[] =>
    readdirSync(join(root, folder), { recursive, encoding: "utf8" }).map((path) => join(folder, path));
  const readmes = ["packages", "examples"]
    .flatMap((folder) => list(folder, false))
    .map((path) => join(path, "README.md"));
  return [...list("", false), ...list("docs", true), ...readmes].filter(
    (path) => path.endsWith(".md") && existsSync(join(root, path)),
  );
}

const documents = findDocuments().map((path) => ({ path, targets: findTargets(path) }));

describe("links to files", () => {
  it("are there to be checked", () => {
    expect(documents.length).toBeGreaterThan(20);
    expect(documents.flatMap(({ targets }) => targets).length).toBeGreaterThan(50);
  });

  it.each(documents)("$path names files that exist", ({ path, targets }) => {
    expect(targets.filter((target) => !existsSync(join(root, dirname(path), target)))).toEqual([]);
  });
});
