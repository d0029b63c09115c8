import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { History } from "./zlib-history.ts";

const target = new Uint8Array(5 + 32_768);

describe("History", () => {
  it("is at every moment the last window of what came, as a stored block (RFC 1951 §3.2.4)", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 8, max: 15 }),
        fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 70_000 })), { maxLength: 12 }),
        (windowBits, lengths) => {
          const history = new History(windowBits);
          let all = Buffer.alloc(0);
          for (const [index, length] of lengths.entries()) {
            const bytes = new Uint8Array(length).map((_, i) => (i * 31 + index * 7 + (i >> 8)) & 0xff);
            history.append(bytes);
            all = Buffer.concat([all, bytes]);
            const expected = all.subarray(Math.max(0, all.length - 2 ** windowBits));
            const block = Buffer.from(history.writeStoredBlock(target));
            expect(history.length).toBe(expected.length);
            expect(block[0]).toBe(0);
            expect(block.readUInt16LE(1)).toBe(expected.length);
            expect(block.readUInt16LE(3)).toBe(expected.length ^ 0xffff);
            expect(block.subarray(5).equals(expected)).toBe(true);
            expect(history.heldBytes).toBeLessThanOrEqual(2 ** windowBits);
          }
        },
      ),
    );
  });

  it("takes no memory before there is data, little for little data, none after clear()", () => {
    const history = new History(15);
    expect(history.heldBytes).toBe(0);
    history.append(new Uint8Array(0));
    expect(history.heldBytes).toBe(0);
    history.append(new Uint8Array(100));
    expect(history.heldBytes).toBe(256);
    history.append(new Uint8Array(100_000));
    expect(history.heldBytes).toBe(32_768);
    history.clear();
    expect(history.heldBytes).toBe(0);
    expect(history.length).toBe(0);
  });
});
