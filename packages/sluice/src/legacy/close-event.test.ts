import { describe, expect, it } from "vitest";
import { CloseEvent, type CloseEventInit, OwnCloseEvent } from "./close-event.ts";

// The exported class is the platform's where there is one; both have to behave the same.
describe.each([
  ["our own", OwnCloseEvent],
  ["the exported", CloseEvent],
])("spec-digest 1.4 CloseEvent, %s", (_, Class) => {
  it("has the defaults of its dictionary", () => {
    const event = new Class("close");
    expect(event).toMatchObject({ type: "close", wasClean: false, code: 0, reason: "" });
    expect(event).toMatchObject({ bubbles: false, cancelable: false, composed: false });
    expect(event).toBeInstanceOf(Event);
  });

  it("takes the members of its dictionary and of EventInit", () => {
    const init = { bubbles: true, cancelable: true, composed: true, wasClean: true, code: 3000, reason: "x" };
    expect(new Class("foo", init)).toMatchObject({ type: "foo", ...init });
  });

  it.each([
    [70_000, 4464],
    [1000.5, 1000],
    [Number.NaN, 0],
    [Number.POSITIVE_INFINITY, 0],
    ["3000", 3000],
    [null, 0],
    [undefined, 0],
  ])("converts the code %s to %d (modulo 2^16)", (code, expected) => {
    expect(new Class("close", { code } as CloseEventInit).code).toBe(expected);
  });

  it("converts the reason to a USVString", () => {
    expect(new Class("close", { reason: "a\ud800b" }).reason).toBe("a\ufffdb");
    expect(new Class("close", { reason: null as unknown as string }).reason).toBe("null");
  });

  it.each([undefined, null])("takes %s for an empty dictionary", (init) => {
    expect(new Class("close", init as unknown as CloseEventInit).code).toBe(0);
  });

  it.each([true, 1, "x", Symbol("x")])("refuses a dictionary that is %s", (init) => {
    expect(() => new Class("close", init as CloseEventInit)).toThrow(TypeError);
  });

  it("needs an argument, and new", () => {
    expect(() => Reflect.construct(Class, [])).toThrow(TypeError);
    expect(() => Reflect.apply(Class as unknown as () => void, undefined, ["close"])).toThrow(TypeError);
  });
});

describe("our own CloseEvent", () => {
  it("converts the code -1 to 65535, which the platform's of Node 24 does not", () => {
    expect(new OwnCloseEvent("close", { code: -1 }).code).toBe(65_535);
  });

  it("reads the members once: EventInit first, then its own, in lexicographic order", () => {
    const read: PropertyKey[] = [];
    const init = new Proxy({}, { get: (_, key) => void read.push(key) });
    new OwnCloseEvent("close", init);
    expect(read).toEqual(["bubbles", "cancelable", "composed", "code", "reason", "wasClean"]);
  });

  it("converts the type before it looks at the dictionary", () => {
    expect(() => new OwnCloseEvent(Symbol("x") as unknown as string, 1 as CloseEventInit)).toThrow(/symbol/i);
  });
});

describe("the exported CloseEvent", () => {
  it("is the platform's if there is one, so that instanceof agrees with it", () => {
    const platform = (globalThis as { CloseEvent?: unknown }).CloseEvent;
    expect(CloseEvent).toBe(platform ?? OwnCloseEvent);
  });
});

// Only ours: the platform's of Node 24 and later keeps a negative code as it is.
it("our own CloseEvent converts the code -1 to 65535 (modulo 2^16)", () => {
  expect(new OwnCloseEvent("close", { code: -1 }).code).toBe(65_535);
});
