import { existsSync, readFileSync } from "node:fs";
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

describe("links to files", () => {
  it.each(["SECURITY.md", "README.md", "docs/README.md", "docs/errors.md", "docs/limits.md", "docs/observability.md"])(
    "%s names files that exist",
    (path) => {
      const targets = findTargets(path);
      expect(targets.length).toBeGreaterThan(0);
      expect(targets.filter((target) => !existsSync(join(root, dirname(path), target)))).toEqual([]);
    },
  );
});
