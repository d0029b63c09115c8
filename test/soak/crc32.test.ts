import { describe, expect, it } from "vitest";
import { crc32, crc32ByTable } from "./crc32.ts";

describe.each([
  ["crc32", crc32],
  ["crc32ByTable", crc32ByTable],
])("%s", (_, checksum) => {
  it("gives the check value of its definition", () => {
    expect(checksum(Buffer.from("123456789"))).toBe(0xcbf43926);
  });

  it("gives known values at lengths around its step", () => {
    expect(checksum(new Uint8Array(0))).toBe(0);
    expect(checksum(Buffer.from("a"))).toBe(0xe8b7be43);
    expect(checksum(Buffer.from("abc"))).toBe(0x352441c2);
    expect(checksum(Buffer.from("abcd"))).toBe(0xed82cd11);
  });

  it("tells of one changed bit", () => {
    const bytes = new Uint8Array(1_000).fill(7);
    const before = checksum(bytes);
    bytes[777] = 6;
    expect(checksum(bytes)).not.toBe(before);
  });
});
