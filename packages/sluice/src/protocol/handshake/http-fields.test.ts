import { describe, expect, it } from "vitest";
import {
  fieldValues,
  hasListElement,
  isFieldValue,
  isToken,
  parseExtensionList,
  parseTokenList,
} from "./http-fields.ts";

describe("RFC 9110 §5.6 field syntax", () => {
  it.each([
    ["chat", true],
    ["!#$%&'*+-.^_`|~09azAZ", true],
    ["", false],
    ["a b", false],
    ["a,b", false],
    ['"a"', false],
    ["a/b", false],
    ["\u00E9", false],
    ["a\r\n", false],
    ["a\u0000", false],
  ])("isToken(%j) is %s", (text, expected) => {
    expect(isToken(text)).toBe(expected);
  });

  it.each([
    ["", true],
    ["plain value\twith tab", true],
    ["caf\u00E9", true],
    ["a\r\nX: y", false],
    ["a\n", false],
    ["a\r", false],
    ["a\u0000", false],
    ["a\u007F", false],
    ["\u20AC", false],
    ["\u010A", false],
  ])("isFieldValue(%j) is %s", (text, expected) => {
    expect(isFieldValue(text)).toBe(expected);
  });

  it("fieldValues() finds every field of the name, in order, without outer white space", () => {
    const raw = ["Upgrade", " \twebsocket\t ", "X-Upgrade", "no", "UPGRADE", "h2c", "upgrad", "no", "upgrade", ""];
    expect(fieldValues(raw, "upgrade")).toEqual(["websocket", "h2c", ""]);
    expect(fieldValues(raw, "connection")).toEqual([]);
  });

  it.each([
    [["Upgrade"], true],
    [["keep-alive, Upgrade"], true],
    [["keep-alive", "x ,\tUPGRADE"], true],
    [[",,upgrade,"], true],
    [["upgraded"], false],
    [["keep-alive upgrade"], false],
    [[""], false],
    [[], false],
  ])("hasListElement(%j, upgrade) is %s", (values, expected) => {
    expect(hasListElement(values, "upgrade")).toBe(expected);
  });

  it.each([
    ["chat", ["chat"]],
    ["chat ,\tsuperchat", ["chat", "superchat"]],
    ["", null],
    ["chat,", null],
    [",chat", null],
    ["chat,,superchat", null],
    ["chat superchat", null],
    ["chat; q=1", null],
  ])("parseTokenList(%j)", (value, expected) => {
    expect(parseTokenList(value)).toEqual(expected);
  });

  it.each([
    ["foo", [["foo"]]],
    ["Foo; Bar", [["foo", ["bar", null]]]],
    ["foo ; a=1 ;b\t=\t2 , bar", [["foo", ["a", "1"], ["b", "2"]], ["bar"]]],
    ['foo; a="1"', [["foo", ["a", "1"]]]],
    ['foo; a="1\\2"', [["foo", ["a", "12"]]]],
    ['foo; a="\\1"', [["foo", ["a", "1"]]]],
    ["foo, foo", [["foo"], ["foo"]]],
    ["foo; a=1; a=2", [["foo", ["a", "1"], ["a", "2"]]]],
  ])("parseExtensionList(%j)", (value, expected) => {
    const parsed = parseExtensionList(value)?.map(({ name, parameters }) => [
      name,
      ...parameters.map((parameter) => [parameter.name, parameter.value]),
    ]);
    expect(parsed).toEqual(expected);
  });

  it.each([
    "",
    " ",
    ",",
    "foo,",
    ",foo",
    "foo,,bar",
    "foo;",
    "foo; ",
    "foo;;a",
    "foo; a=",
    "foo; a=;b",
    "foo; =1",
    "foo; a=1=2",
    "foo bar",
    "foo; a b",
    'foo; a="',
    'foo; a="1',
    'foo; a=""',
    'foo; a="1 2"',
    'foo; a="1,2"',
    'foo; a="1\\"',
    'foo; a="1"2',
    'foo; "a"=1',
    "foo; a=\u00E9",
    "foo\u0000",
  ])("parseExtensionList(%j) is malformed", (value) => {
    expect(parseExtensionList(value)).toBe(null);
  });

  // Were one of them quadratic, this would take minutes.
  it.each([
    ["white space", " ".repeat(1_000_000)],
    ["white space inside", `a${" \t".repeat(500_000)}b`],
    ["semicolons", `a${";a".repeat(500_000)};`],
    ["commas", "a,".repeat(500_000)],
    ["backslashes", `a; b="${"\\".repeat(1_000_000)}`],
    ["quotes", `a; b=${'"'.repeat(1_000_000)}`],
  ])("walks once over a million bytes of %s", (_name, value) => {
    expect(parseExtensionList(value)).toBe(null);
    expect(parseTokenList(value)).toBe(null);
    expect(fieldValues(["a", value], "a").length).toBe(1);
    expect(hasListElement([value], "upgrade")).toBe(false);
  });
});
