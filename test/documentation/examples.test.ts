import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Example, findExamples, findInMarkdown, findInSource, PRINTING_LINE } from "./find-examples.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = fileURLToPath(new URL("./.examples/", import.meta.url));
const examples = findExamples(root);

/** Where an example is written to, such that an error in it names where it comes from. */
const fileName = ({ file, line }: Example): string => `${file.replace(/[^\w]+/g, "-")}-${line}.ts`;

describe("examples in documents and docstrings", () => {
  beforeAll(() => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    for (const example of examples) {
      writeFileSync(folder + fileName(example), `${checkPrintedValues(example.code)}\nexport {};\n`);
    }
    const options = { composite: false, isolatedDeclarations: false, noEmit: true };
    writeFileSync(
      `${folder}tsconfig.json`,
      JSON.stringify({ extends: "../../../tsconfig.json", compilerOptions: options, include: ["*.ts"] }),
    );
    writeFileSync(
      `${folder}globals.d.ts`,
      "declare function expectPrinted(expected: string, ...printed: unknown[]): void;\n",
    );
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("has examples to check", () => {
    expect(examples.length).toBeGreaterThan(0);
  });

  it("type-checks every one of them", () => {
    const manifest = createRequire(import.meta.url).resolve("typescript/package.json");
    const tsc = join(dirname(manifest), JSON.parse(readFileSync(manifest, "utf8")).bin.tsc);
    const { stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], {
      encoding: "utf8",
    });
    // An error in the sources, which an example imports, is for the check of all types to report.
    const errors = stdout.split("\n").filter((line) => line.includes(".examples/") || line.startsWith("error"));
    expect(errors).toEqual([]);
    expect(stderr).toBe("");
  });

  it.each(
    examples.filter(({ isRunnable }) => isRunnable).map((example) => [`${example.file}:${example.line}`, example]),
  )("runs %s", async (_, example) => {
    const checked: string[] = [];
    Object.assign(globalThis, {
      expectPrinted: (expected: string, ...printed: readonly unknown[]) => {
        checked.push(expected);
        expect(printed.map(show).join(" ")).toBe(expected);
      },
    });
    await import(pathToFileURL(folder + fileName(example as Example)).href);
    expect(checked.length).toBeGreaterThanOrEqual([...(example as Example).code.matchAll(PRINTING_LINE)].length);
  });
});

describe("the finder of examples itself", () => {
  it("finds TypeScript in Markdown, with its line, and leaves other languages alone", () => {
    const text =
      '# Title\n\n```sh\nls\n```\n\n```ts\nlet a = 1;\n```\n\n- in a list\n  ```ts run\n  console.log("b");\n  ```\n';
    expect(findInMarkdown("a.md", text, 1)).toEqual([
      { file: "a.md", line: 8, code: "let a = 1;", isRunnable: false },
      { file: "a.md", line: 13, code: 'console.log("b");', isRunnable: true },
    ]);
  });

  it("finds docstrings, and takes one that says what it prints for runnable", () => {
    const text =
      "const a = 1;\n/**\n * Text.\n * @example\n * ```ts\n * console.log(1 + 1); // 2\n * ```\n */\nexport {};\n";
    expect(findInSource("a.ts", text)).toEqual([
      { file: "a.ts", line: 6, code: "console.log(1 + 1); // 2", isRunnable: true },
    ]);
  });
});

/** `console.log(x); // 2` becomes a call that compares, on the same line. */
function checkPrintedValues(code: string): string {
  return code.replace(
    PRINTING_LINE,
    (_, indent, args, value) => `${indent}expectPrinted(${JSON.stringify(value)}, ${args});`,
  );
}

/** A value as the documents write it: strings in double quotes, the rest as Node shows it. */
function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : inspect(value, { breakLength: Number.POSITIVE_INFINITY });
}
