// `pnpm spec-coverage`: whether docs/spec-coverage.md is true. Each of its rows names a rule, the file that keeps it, and the tests
// that fail when it is broken; the files and the tests have to exist, and each rule that a comment in the code cites has to have a
// row. `npm test` does the same (test/documentation/spec-coverage.test.ts). Unlike the other scripts this one needs what is
// installed in test/: a parser for Markdown, and one for TypeScript.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";

const require = createRequire(new URL("../test/package.json", import.meta.url));
/** @type {{ marked: { lexer(text: string): any[] } }} */
const { marked } = require("marked");
/** @type {{ parseSync(path: string, text: string): { program: unknown; comments: { value: string }[] } }} */
const { parseSync } = require("oxc-parser");

const root = fileURLToPath(new URL("../", import.meta.url));

/**
 * @typedef {object} Repository What the page is compared with.
 * @property {(path: string) => string | null} read the text of a file, by its path from the root; null if there is none
 * @property {readonly string[]} sources the files whose comments cite rules
 *
 * @typedef {object} Row
 * @property {string} rule
 * @property {Readonly<Record<string, string>>} cells by the heading of their column
 *
 * @typedef {object} Report
 * @property {string[]} problems what makes the page untrue, one sentence each
 * @property {string[]} uncited rules that no comment cites, which is no fault
 * @property {number} rows
 * @property {number} tests named by the page, each counted once
 */

/** The columns of a table of rules; other tables of the page are left alone. */
const FORMS = [
  ["rule", "in short", "file", "test"],
  ["rule", "in short", "not ours: why"],
];

/** A path in the page starts at the root, or in the sources of the package. */
const PREFIXES = ["", "packages/sluice/src/"];

/** A rule with a letter, as the code cites it: D-14, F10, R4, S10, L12, RX4. */
const RULE = /(?<![\w.])(?:D-\d\d|[HFPCETX]\d\d|RX[1-8]|TX[1-6]|[RS](?:10|[1-9])|L(?:1[0-2]|[1-9]))(?!\w)/g;
/** Sections: "spec-digest 2.8, 2.9", "digest 2.7 to 2.14". */
const SECTIONS = /digest (\d\.\d+(?:(?:, | and | to |-)\d\.\d+)*)/g;

/**
 * Compares the page with the files.
 *
 * @param {string} markdown
 * @param {Repository} repository
 * @returns {Report}
 */
export function checkSpecCoverage(markdown, repository) {
  /** @type {string[]} */
  const problems = [];
  const rows = findRows(markdown, problems);
  const rules = new Set(rows.map(({ rule }) => rule));
  const headings = marked.lexer(markdown).filter(({ type }) => type === "heading");
  const sections = new Set([...rules, ...headings.map(({ text }) => text)].map((text) => /^\d\.\d+/.exec(text)?.[0]));
  const named = new Set();
  const readTests = memoize((/** @type {string} */ path) => {
    const text = repository.read(path);
    return text === null ? null : readTestFile(path, text);
  });
  const resolve = (/** @type {string} */ path) => PREFIXES.find((prefix) => repository.read(prefix + path) !== null);

  for (const { rule, cells } of rows) {
    for (const [column, cell] of Object.entries(cells)) {
      if (cell.trim() === "") problems.push(`${rule}: the column "${column}" is empty`);
    }
    if (cells.test === undefined) continue;
    const files = codeIn(cells.file ?? "");
    if (files.length === 0) problems.push(`${rule}: names no file`);
    for (const path of files) {
      if (resolve(path) === undefined) problems.push(`${rule}: there is no file ${path}`);
    }
    const tests = codeIn(cells.test);
    if (tests.length === 0) problems.push(`${rule}: names no test`);
    let current = "";
    for (const test of tests) {
      const [, path, title] = /^(?:(\S+\.ts): )?(.*)$/s.exec(test) ?? [];
      if (path !== undefined) current = path;
      const prefix = resolve(current);
      if (current === "") problems.push(`${rule}: names no file for the test "${title}"`);
      else if (prefix === undefined) problems.push(`${rule}: there is no test file ${current}`);
      else {
        const { titles, literals } = /** @type {TestFile} */ (readTests(prefix + current));
        if (titles.some((test) => hasTitle(test, title ?? "", literals))) named.add(`${current}: ${title}`);
        else problems.push(`${rule}: ${current} has no test "${title}"`);
      }
    }
  }

  const cited = findCited(repository);
  for (const [citation, path] of cited) {
    const isSection = /^\d/.test(citation);
    if (isSection ? !sections.has(citation) : !rules.has(citation)) {
      problems.push(`${citation}: is cited in ${path} and has no row`);
    }
  }
  const uncited = [...rules].filter((rule) => rule.search(RULE) === 0 && !cited.has(rule));
  return { problems, uncited, rows: rows.length, tests: named.size };
}

/** @typedef {{ readonly titles: readonly Title[]; readonly literals: ReadonlySet<string> }} TestFile */
/** @typedef {{ readonly segments: readonly string[] }} Title each part of a title that is not fixed is HOLE */

/**
 * @param {string} markdown
 * @param {string[]} problems
 * @returns {Row[]}
 */
function findRows(markdown, problems) {
  /** @type {Row[]} */
  const rows = [];
  for (const token of marked.lexer(markdown)) {
    if (token.type !== "table") continue;
    const header = token.header.map((/** @type {{ text: string }} */ { text }) => text);
    if (header[0] !== "rule") continue;
    if (!FORMS.some((form) => form.join("|") === header.join("|"))) {
      problems.push(
        `The columns of a table must be ${FORMS.map((form) => form.join(", ")).join("; or ")}: ${header.join(", ")}`,
      );
      continue;
    }
    for (const cells of token.rows) {
      const texts = cells.map((/** @type {{ text: string }} */ { text }) => text);
      const rule = /** @type {string} */ (texts[0]);
      if (rows.some((row) => row.rule === rule)) problems.push(`${rule}: has two rows`);
      rows.push({
        rule,
        cells: Object.fromEntries(
          header.map((/** @type {string} */ name, /** @type {number} */ i) => [name, texts[i] ?? ""]),
        ),
      });
    }
  }
  if (rows.length === 0) problems.push("The page has no table of rules");
  return rows;
}

/**
 * What is code in a cell.
 *
 * @param {string} cell
 * @returns {string[]}
 */
function codeIn(cell) {
  return [...cell.matchAll(/(`+)(.*?)\1/gs)].map(([, , code]) => /** @type {string} */ (code).trim());
}

const HOLE = "…";
const LITERAL = /[.*+?^${}()|[\]\\]/g;

/**
 * Whether a title in the page is that of a test, or of a suite. It may leave out suites around it, and any text for which
 * it has `…`. What stands where the code has a parameter must be a text or a number in the test's file.
 *
 * @param {Title} test
 * @param {string} title
 * @param {ReadonlySet<string>} literals
 */
function hasTitle({ segments }, title, literals) {
  for (let from = 0; from < segments.length; from++) {
    const full = segments.slice(from).join(" > ");
    const asWritten = title.split(HOLE).map((part) => part.replace(LITERAL, "\\$&"));
    if (/[\p{L}\p{N}]/u.test(title) && new RegExp(`^${asWritten.join("[^]*")}$`).test(full)) return true;
    const withParameters = full.split(HOLE).map((part) => part.replace(LITERAL, "\\$&"));
    const [, ...parameters] = new RegExp(`^${withParameters.join("([^]+)")}$`).exec(title) ?? [];
    const isFixed = segments.slice(from).join("").replaceAll(HOLE, "") !== "";
    if (parameters.length > 0 && parameters.every((value) => (value === HOLE && isFixed) || literals.has(value)))
      return true;
  }
  return false;
}

/**
 * The titles of all suites and tests in a file, with the suites around them.
 *
 * @param {string} path
 * @param {string} text
 * @returns {Title[]}
 */
export function findTitles(path, text) {
  return readTestFile(path, text).titles;
}

/**
 * @param {string} path
 * @param {string} text
 * @returns {{ titles: Title[]; literals: Set<string> }} what is a title is no literal
 */
function readTestFile(path, text) {
  /** @type {Title[]} */
  const titles = [];
  /** @type {Set<string>} */
  const literals = new Set();
  visit(parseSync(path, text).program, []);
  return { titles, literals };

  /** @param {unknown} node @param {readonly string[]} around */
  function visit(node, around) {
    if (Array.isArray(node)) {
      for (const item of node) visit(item, around);
      return;
    }
    if (typeof node !== "object" || node === null) return;
    const call = /** @type {Record<string, any>} */ (node);
    // The tests that run in pages are methods of one object.
    if (call.type === "Property" && call.method && typeof call.key.value === "string") {
      titles.push({ segments: [...around, call.key.value] });
    }
    if (call.type === "Literal") {
      literals.add(String(call.value)).add(call.raw);
      if (typeof call.value === "string") literals.add(JSON.stringify(call.value));
    } else if (call.type === "TemplateElement") literals.add(call.value.cooked);
    if (call.type === "CallExpression" && isSkipped(call.callee)) return;
    const name = call.type === "CallExpression" ? nameOf(call.callee) : null;
    const title = name === null || call.arguments.length < 2 ? null : titleOf(call);
    if (title === null) {
      for (const child of Object.values(call)) visit(child, around);
      return;
    }
    const segments = [...around, title];
    titles.push({ segments });
    // The cases of it.each() stand in what is called.
    visit(call.callee, around);
    for (const argument of call.arguments.slice(1)) visit(argument, segments);
  }
}

/**
 * `it` of `it(…)`, `it.each(…)(…)`; null for other calls, and for `it.each(…)` itself.
 *
 * @param {any} callee
 * @returns {string | null}
 */
function nameOf(callee) {
  const inner =
    callee.type === "CallExpression" ? callee.callee : callee.type === "TaggedTemplateExpression" ? callee.tag : callee;
  if (inner.type === "MemberExpression" && inner !== callee) return nameOf(inner.object);
  return inner.type === "Identifier" && /^(describe|it|test)$/.test(inner.name) ? inner.name : null;
}

/** `it.skip(…)`, `describe.todo(…)` and the like: what never runs is no test. @param {any} callee */
function isSkipped(callee) {
  return (
    callee.type === "MemberExpression" &&
    /^(skip|todo)$/.test(callee.property.name) &&
    /^(describe|it|test)$/.test(callee.object.name)
  );
}

/** @param {any} call @returns {string | null} null if the first argument is no text */
function titleOf({ callee, arguments: [first] }) {
  /** @type {string} */
  let title;
  if (first.type === "Literal" && typeof first.value === "string") title = first.value;
  else if (first.type === "TemplateLiteral")
    title = first.quasis.map((/** @type {any} */ { value }) => value.cooked).join(HOLE);
  else return null;
  // What Vitest replaces in the title of each case.
  return callee.type === "Identifier" ? title : title.replaceAll(/%[sdifjoOc#$]|\$[\w.]+/g, HOLE);
}

/**
 * Every rule and section that a comment or a test's title cites, and one file that does.
 *
 * @param {Repository} repository
 * @returns {Map<string, string>}
 */
function findCited({ read, sources }) {
  const cited = new Map();
  for (const path of sources) {
    const text = read(path) ?? "";
    const comments = parseSync(path, text).comments.map(({ value }) => value);
    const titles = path.endsWith(".test.ts") ? findTitles(path, text).flatMap(({ segments }) => segments) : [];
    for (const words of [...comments, ...titles]) {
      for (const [rule] of words.matchAll(RULE)) cited.set(rule, path);
      for (const [, list] of words.matchAll(SECTIONS)) {
        for (const [section] of /** @type {string} */ (list).matchAll(/\d\.\d+/g)) cited.set(section, path);
      }
    }
  }
  return cited;
}

/**
 * @template Key, Value
 * @param {(key: Key) => Value} compute
 * @returns {(key: Key) => Value}
 */
function memoize(compute) {
  /** @type {Map<Key, Value>} */
  const known = new Map();
  return (key) => {
    if (!known.has(key)) known.set(key, compute(key));
    return /** @type {Value} */ (known.get(key));
  };
}

/** @returns {Repository} the files as they are on disk */
export function readRepository() {
  const packages = ["sluice", "polyfill", "cli"].map((name) => `packages/${name}/src`);
  const folders = [...packages, "test"].filter((folder) => existsSync(join(root, folder)));
  const sources = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.includes("node_modules"))
      .map((path) => `${folder}/${path.replaceAll("\\", "/")}`),
  );
  const read = memoize((/** @type {string} */ path) => {
    const isFile = /\.\w+$/.test(path) && existsSync(join(root, path));
    return isFile ? readFileSync(join(root, path), "utf8") : null;
  });
  return { read, sources };
}

/** The page itself. @returns {string} */
export function readPage() {
  return readFileSync(join(root, "docs/spec-coverage.md"), "utf8");
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const { problems, uncited, rows, tests } = checkSpecCoverage(readPage(), readRepository());
  for (const problem of problems) console.error(problem);
  if (uncited.length > 0) console.log(`Rules that no comment cites, which is no fault: ${uncited.join(", ")}`);
  console.log(`docs/spec-coverage.md: ${rows} rows, ${tests} tests, ${problems.length} problems`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
