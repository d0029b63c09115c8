import { describe, expect, it } from "vitest";
import { checkSpecCoverage, findTitles, readPage, readRepository } from "../../scripts/spec-coverage.mjs";

describe("docs/spec-coverage.md", () => {
  const report = checkSpecCoverage(readPage(), readRepository());

  it("names files and tests that exist, and every rule that the code cites", () => {
    expect(report.problems).toEqual([]);
  });

  it("is all of it", () => {
    expect(report.rows).toBeGreaterThan(450);
    expect(report.tests).toBeGreaterThan(400);
  });

  it("refers to nothing outside of the repository but what the web has", () => {
    expect(readPage()).not.toMatch(/\]\((?!https:|[\w-]+\.md)|\.md`/);
  });
});

const SOURCE = `
// D-14 is kept here, see spec-digest 2.9.
export const value: string = "D-99 in a text is no citation";
`;
const TEST = `
import { describe, expect, it } from "vitest";
describe("suite", () => {
  it("is fixed", () => {});
  it.each([["one"], ["two"]])("case %s of $name", () => {});
  describe.each([1])("inner %i", (n) => {
    it(\`template \${n} ends\`, () => {});
    it.each(["one"])("%s", () => {});
  });
});
test.skipIf(isOld)("new", () => {});
it.skip("sleeps", () => {});
describe.skip("asleep", () => {
  it("inside", () => {});
});
`;

/** A repository of two files. */
function check(...rows: string[]): string[] {
  const files: Readonly<Record<string, string>> = {
    "packages/sluice/src/source.ts": SOURCE,
    "test/some.test.ts": TEST,
  };
  const repository = { read: (path: string) => files[path] ?? null, sources: Object.keys(files) };
  const page = ["| rule | in short | file | test |", "| --- | --- | --- | --- |", ...rows].join("\n");
  return checkSpecCoverage(page, repository).problems;
}

/** What the source cites, so that only the row in question can be wrong. */
const CITED = [
  "| D-14 | a decision | `source.ts` | `test/some.test.ts: is fixed` |",
  "| 2.9 | a section | `source.ts` | `test/some.test.ts: is fixed` |",
];
const row = (test: string, file: string = "`source.ts`"): string => `| Z | a rule | ${file} | ${test} |`;

describe("what a table may say", () => {
  it.each([
    "`test/some.test.ts: is fixed`",
    "`test/some.test.ts: suite > is fixed`",
    "`test/some.test.ts: suite`",
    "`test/some.test.ts: is fixed`, `case one of two`",
    "`test/some.test.ts: case one of …`",
    "`test/some.test.ts: case … of …`",
    "`test/some.test.ts: c… of …`",
    "`test/some.test.ts: suite > inner … > template … ends`",
    "`test/some.test.ts: suite > inner … > …`",
    "`test/some.test.ts: one`",
  ])("%s", (test) => {
    expect(check(...CITED, row(test))).toEqual([]);
  });

  it("a path from the root, and several files", () => {
    expect(
      check(...CITED, row("`test/some.test.ts: is fixed`", "`packages/sluice/src/source.ts`, `source.ts`")),
    ).toEqual([]);
  });

  it("a reason in place of a test", () => {
    const others = ["", "| rule | in short | not ours: why |", "| --- | --- | --- |", "| Z | theirs | for a proxy |"];
    expect(check(...CITED, ...others)).toEqual([]);
  });
});

describe("what is wrong in a table", () => {
  it.each([
    ["an empty cell", row(""), 'Z: the column "test" is empty'],
    ["an empty file", row("`test/some.test.ts: is fixed`", ""), 'Z: the column "file" is empty'],
    ["no file", row("`test/some.test.ts: is fixed`", "somewhere"), "Z: names no file"],
    ["a file that is not there", row("`test/some.test.ts: is fixed`", "`no.ts`"), "Z: there is no file no.ts"],
    ["no test", row("by hand"), "Z: names no test"],
    ["a test without its file", row("`is fixed`"), 'Z: names no file for the test "is fixed"'],
    ["a test file that is not there", row("`test/no.test.ts: is fixed`"), "Z: there is no test file test/no.test.ts"],
    ["a title that no test has", row("`test/some.test.ts: is broken`"), 'Z: test/some.test.ts has no test "is broken"'],
    ["a part of a title", row("`test/some.test.ts: is`"), 'Z: test/some.test.ts has no test "is"'],
    [
      "another suite",
      row("`test/some.test.ts: sweet > is fixed`"),
      'Z: test/some.test.ts has no test "sweet > is fixed"',
    ],
    [
      "a case that there is not",
      row("`test/some.test.ts: case three of …`"),
      'Z: test/some.test.ts has no test "case three of …"',
    ],
    ["anything", row("`test/some.test.ts: …`"), 'Z: test/some.test.ts has no test "…"'],
    ["anything in anything", row("`test/some.test.ts: … > …`"), 'Z: test/some.test.ts has no test "… > …"'],
    [
      "the second of two titles",
      row("`test/some.test.ts: is fixed`, `is broken`"),
      'Z: test/some.test.ts has no test "is broken"',
    ],
    ["a test that is skipped", row("`test/some.test.ts: sleeps`"), 'Z: test/some.test.ts has no test "sleeps"'],
    ["a suite that is skipped", row("`test/some.test.ts: inside`"), 'Z: test/some.test.ts has no test "inside"'],
    ["a rule twice", CITED[0] as string, "D-14: has two rows"],
  ])("%s", (_, wrong, problem) => {
    expect(check(...CITED, wrong)).toContain(problem);
  });

  it("a reason that is missing", () => {
    const others = ["", "| rule | in short | not ours: why |", "| --- | --- | --- |", "| Z | theirs | |"];
    expect(check(...CITED, ...others)).toEqual(['Z: the column "not ours: why" is empty']);
  });

  it("a rule or a section that the code cites and no row has", () => {
    expect(check(row("`test/some.test.ts: is fixed`"))).toEqual([
      "D-14: is cited in packages/sluice/src/source.ts and has no row",
      "2.9: is cited in packages/sluice/src/source.ts and has no row",
    ]);
  });

  it("other columns, and no table at all", () => {
    const repository = { read: () => null, sources: [] };
    const page = "| rule | test |\n| --- | --- |\n| Z | z |\n";
    expect(checkSpecCoverage(page, repository).problems).toEqual([
      "The columns of a table must be rule, in short, file, test; or rule, in short, not ours: why: rule, test",
      "The page has no table of rules",
    ]);
  });
});

describe("findTitles()", () => {
  it("finds suites and tests, with a hole for each parameter", () => {
    const titles = findTitles("some.test.ts", TEST).map(({ segments }) => segments.join(" > "));
    expect(titles).toEqual([
      "suite",
      "suite > is fixed",
      "suite > case … of …",
      "suite > inner …",
      "suite > inner … > template … ends",
      "suite > inner … > …",
      "new",
    ]);
  });

  it("reports rows that no comment cites, which is no problem", () => {
    const repository = { read: (path: string) => (path === "a.ts" ? 'it("t", f);' : null), sources: [] };
    const page = "| rule | in short | file | test |\n| --- | --- | --- | --- |\n| F10 | x | `a.ts` | `a.ts: t` |\n";
    expect(checkSpecCoverage(page, repository)).toEqual({ problems: [], uncited: ["F10"], rows: 1, tests: 1 });
  });
});
