import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes } from "./splits.test-support.ts";
import { standardUtf8Codec, Utf8Validator } from "./utf8.ts";

/** How many bytes are taken before the validator refuses, pushed one by one; Infinity if it refuses none. */
function firstRefused(input: Uint8Array): number {
  const validator = new Utf8Validator(standardUtf8Codec);
  for (let i = 0; i < input.length; i++) if (!validator.push(input, i, i + 1)) return i;
  return Number.POSITIVE_INFINITY;
}

function isWholeText(input: Uint8Array, cuts: readonly number[]): boolean {
  const validator = new Utf8Validator(standardUtf8Codec);
  const ends = [...new Set(cuts.map((cut) => cut % (input.length + 1)))].sort((a, b) => a - b);
  let start = 0;
  for (const end of [...ends, input.length]) {
    if (!validator.push(input, start, end)) return false;
    start = end;
  }
  return validator.isComplete;
}

function isUtf8(input: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(input);
    return true;
  } catch {
    return false;
  }
}

describe("RFC 6455 §8.1 UTF-8 that comes in slices", () => {
  it.each([
    ["an unexpected continuation byte", "80", 0],
    ["overlong forms of two bytes", "c0 80", 0],
    ["overlong forms of two bytes", "c1 bf", 0],
    ["overlong forms of three bytes", "e0 80 80", 1],
    ["overlong forms of three bytes", "e0 9f bf", 1],
    ["overlong forms of four bytes", "f0 8f bf bf", 1],
    ["surrogates", "ed a0 80", 1],
    ["surrogates", "ed bf bf", 1],
    ["what lies beyond U+10FFFF", "f4 90 80 80", 1],
    ["what lies beyond U+10FFFF", "f5 80 80 80", 0],
    ["bytes that are never UTF-8", "fe", 0],
    ["bytes that are never UTF-8", "61 ff", 1],
    ["a character that another one interrupts", "e2 82 41", 2],
    ["a character that another one interrupts", "f0 9f 98 f0", 3],
  ])("refuses %s (%s) at once, at byte %i", (_, text, index) => {
    expect(firstRefused(bytes(text))).toBe(index);
  });

  it.each([
    ["f4 90", "beyond U+10FFFF"],
    ["e0 80", "overlong"],
    ["ed a0", "a surrogate"],
    ["f0 80", "overlong"],
    ["61 c0", "overlong"],
    ["61 f8", "no lead byte"],
  ])("refuses the beginning %s, which can only become %s, at the end of a slice", (text) => {
    const input = bytes(text);
    expect(new Utf8Validator(standardUtf8Codec).push(input, 0, input.length)).toBe(false);
  });

  it.each(["c2 80", "df bf", "e0 a0 80", "ed 9f bf", "ee 80 80", "ef bb bf", "f0 90 80 80", "f4 8f bf bf"])(
    "takes %s in one, two, and all pieces",
    (text) => {
      const input = bytes(text);
      expect(firstRefused(input)).toBe(Number.POSITIVE_INFINITY);
      for (let cut = 0; cut <= input.length; cut++) expect(isWholeText(input, [cut])).toBe(true);
    },
  );

  it.each(["c3", "e2 82", "f0 9f", "f0 9f 98", "61 e2"])("is not complete after %s", (text) => {
    const input = bytes(text);
    const validator = new Utf8Validator(standardUtf8Codec);
    expect([validator.push(input, 0, input.length), validator.isComplete]).toEqual([true, false]);
  });

  it("decides as a strict decoder does over all bytes, however they are cut", () => {
    const piece = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.string({ unit: "grapheme", maxLength: 6 }).map((s) => [...new TextEncoder().encode(s)]),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom([0xed, 0xa0], [0xe2, 0x82], [0xf4, 0x8f, 0xbf], [0xbf], [0xf0, 0x9f, 0x98]),
      },
      { weight: 1, arbitrary: fc.array(fc.integer({ min: 0x7f, max: 0xff }), { maxLength: 3 }) },
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 5 }),
        fc.array(fc.nat({ max: 60 }), { maxLength: 6 }),
        (pieces, cuts) => {
          const input = Uint8Array.from(pieces.flat());
          expect(isWholeText(input, cuts)).toBe(isUtf8(input));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe("the codec of the Encoding standard", () => {
  it("decodes a range, keeps a BOM, and says null to what is not UTF-8", () => {
    const input = bytes("ff ef bb bf 41 ff");
    expect(standardUtf8Codec.decode(input, 1, 5)).toBe("\ufeffA");
    expect(standardUtf8Codec.decode(input, 1, 1)).toBe("");
    expect(standardUtf8Codec.decode(input, 0, 5)).toBeNull();
    expect([standardUtf8Codec.isValid(input, 1, 5), standardUtf8Codec.isValid(input, 1, 6)]).toEqual([true, false]);
  });

  it("writes at an offset, a lone surrogate as U+FFFD", () => {
    const target = new Uint8Array(8);
    expect(standardUtf8Codec.write(target, 1, "a\ud800é")).toBe(6);
    expect(target).toEqual(bytes("00 61 ef bf bd c3 a9 00"));
    expect(standardUtf8Codec.encode("\udc00")).toEqual(bytes("ef bf bd"));
  });
});
