import { describe, expect, it } from "vitest";
import { publicUtf8Codec, utf8Codec } from "./utf8-codec.ts";

const VALID: [name: string, hex: string, text: string][] = [
  ["nothing", "", ""],
  ["ASCII", "48656c6c6f", "Hello"],
  ["two, three and four bytes", "c3a9e282acf09f9880", "\u00E9\u20AC\u{1F600}"],
  ["a BOM, which stays", "efbbbf41", "\uFEFFA"],
  ["U+FFFD itself", "efbfbd", "\uFFFD"],
  ["the last code point", "f48fbfbf", "\u{10FFFF}"],
];
const INVALID: [name: string, hex: string][] = [
  ["a stray continuation", "80"],
  ["an overlong slash", "c0af"],
  ["a surrogate", "eda080"],
  ["above U+10FFFF", "f4908080"],
  ["an incomplete end", "41e282"],
  ["U+FFFD in front of a bad byte", "efbfbdff"],
];

describe.each([
  ["native", utf8Codec],
  ["public", publicUtf8Codec],
])("%s UTF-8 codec", (_name, codec) => {
  it("is not the other one", () => {
    expect(utf8Codec).not.toBe(publicUtf8Codec);
  });

  it.each(VALID)("decode() and write() agree on %s", (_case, hex, text) => {
    const payload = Buffer.from(hex, "hex");
    const bytes = new Uint8Array(payload.length + 4).fill(0xff);
    bytes.set(payload, 2);
    expect(codec.decode(bytes, 2, 2 + payload.length)).toBe(text);
    expect(codec.isValid(bytes, 2, 2 + payload.length)).toBe(true);

    const target = new Uint8Array(payload.length + 4);
    expect(codec.write(target, 3, text)).toBe(payload.length);
    expect(Buffer.from(target).toString("hex")).toBe(`000000${hex}00`);
    const encoded = codec.encode(text);
    expect(Buffer.from(encoded).toString("hex")).toBe(hex);
    expect(encoded.constructor).toBe(Uint8Array);
  });

  it.each(VALID)("byteLength() and writePart() of %s", (_case, hex, text) => {
    expect(codec.byteLength(text)).toBe(hex.length / 2);
    const target = new Uint8Array(hex.length / 2 + 4);
    expect(codec.writePart(target, 3, 3 + hex.length / 2, text)).toEqual({
      read: text.length,
      written: hex.length / 2,
    });
    expect(Buffer.from(target).toString("hex")).toBe(`000000${hex}00`);
  });

  it("writePart() cuts no character", () => {
    const target = new Uint8Array(6);
    for (const [end, read, written] of [
      [1, 0, 0],
      [3, 0, 0],
      [4, 2, 4],
      [5, 2, 4],
    ]) {
      expect(codec.writePart(target, 0, end as number, "\u{1F600}\u00E9")).toEqual({ read, written });
    }
    expect(codec.writePart(target, 0, 6, "\u{1F600}\u00E9")).toEqual({ read: 3, written: 6 });
  });

  it.each(INVALID)("decode() gives null for %s", (_case, hex) => {
    const bytes = new Uint8Array(Buffer.from(hex, "hex"));
    expect(codec.decode(bytes, 0, bytes.length)).toBe(null);
    expect(codec.isValid(bytes, 0, bytes.length)).toBe(false);
  });

  it("write() replaces lone surrogates by U+FFFD", () => {
    const target = new Uint8Array(8);
    expect(codec.write(target, 0, "\uD800a")).toBe(4);
    expect(Buffer.from(target).toString("hex")).toBe("efbfbd6100000000");
    expect(Buffer.from(codec.encode("\uDC00")).toString("hex")).toBe("efbfbd");
    expect(codec.byteLength("\uD800a\uDC00")).toBe(7);
  });
});
