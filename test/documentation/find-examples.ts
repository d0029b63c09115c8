import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type MarkedToken, marked, type Token } from "marked";
import { parseSync } from "oxc-parser";

/** A ```ts block of a Markdown file or of a docstring. */
export interface Example {
  /** The file it stands in, from the repository's root. */
  readonly file: string;
  /** The line of its first line of code, from 1. */
  readonly line: number;
  readonly code: string;
  /** Whether it is executed as well: it is marked ```ts run, or a `console.log(…); // value` says what it prints. */
  readonly isRunnable: boolean;
}

/** A line that says what it prints: its indentation, the arguments, and the value. */
export const PRINTING_LINE: RegExp = /^(\s*)console\.log\((.*)\); \/\/ (.+)$/gm;

/** Every TypeScript example in the documents and in the sources of the packages. */
export function findExamples(root: string): Example[] {
  const isExcluded = (path: string): boolean => /(^|[\\/])(node_modules|dist|coverage|\.[^\\/]+)([\\/]|$)/.test(path);
  const files = readdirSync(root, { recursive: false, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .concat(
      ["docs", "packages"].flatMap((folder) =>
        readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((path) => join(folder, path)),
      ),
    )
    .filter((path) => !isExcluded(path))
    .sort();
  return files.flatMap((file) => {
    if (/\.api\.md$|\.test\.ts$|\.d\.ts$/.test(file)) return [];
    if (file.endsWith(".md")) return findInMarkdown(file, readFileSync(join(root, file), "utf8"), 1);
    return file.endsWith(".ts") ? findInSource(file, readFileSync(join(root, file), "utf8")) : [];
  });
}

/** The examples of a Markdown text whose first line is line `firstLine` of its file. */
export function findInMarkdown(file: string, text: string, firstLine: number): Example[] {
  const examples: Example[] = [];
  let searchFrom = 0;
  marked.walkTokens(marked.lexer(text), (token: Token) => {
    const { type, raw, lang, text: code } = token as MarkedToken & { lang?: string; text: string };
    if (type !== "code") return;
    const [language, ...marks] = (lang ?? "").split(/\s+/);
    if (language !== "ts" && language !== "typescript") return;
    // Inside a list or a quotation the raw text lacks the indentation: then the line is the one of the last block.
    const firstCodeLine = raw.split("\n")[1]?.trim() ?? "";
    const offset = Math.max(text.indexOf(firstCodeLine, text.indexOf("```", searchFrom)), searchFrom);
    searchFrom = offset + code.length;
    const isRunnable = marks.includes("run") || code.search(PRINTING_LINE) >= 0;
    examples.push({ file, line: firstLine + text.slice(0, offset).split("\n").length - 1, code, isRunnable });
  });
  return examples;
}

/** The examples in the docstrings of a TypeScript source. */
export function findInSource(file: string, text: string): Example[] {
  return parseSync(file, text)
    .comments.filter(({ type, value }) => type === "Block" && value.startsWith("*") && value.includes("```"))
    .flatMap(({ value, start }) => {
      const firstLine = text.slice(0, start).split("\n").length;
      return findInMarkdown(file, value.replace(/^[ \t]*\* ?/gm, ""), firstLine);
    });
}
