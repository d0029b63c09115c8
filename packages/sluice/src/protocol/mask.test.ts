import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyMask, MaskingKeys, wordsOf } from "./mask.ts";
import { bytes, hex } from "./splits.test-support.ts";

const KEY = 0x3d21fa37; // 37 fa 21 3d on the wire

describe("RFC 6455 §5.3 Client-to-server masking", () => {
  it("masks the example of §5.7", () => {
    const payload = bytes("48 65 6c 6c 6f");
    applyMask(payload, wordsOf(payload), 0, 5, KEY, 0);
    expect(hex(payload)).toBe("7f 9f 4d 51 58");
  });

  it("XORs byte i with byte i mod 4 of the key, at every offset, length, phase, and place in memory", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.nat({ max: 7 }),
        fc.nat({ max: 20 }),
        fc.nat({ max: 20 }),
        fc.nat({ max: 9 }),
        (content, key, byteOffset, before, behind, phase) => {
          const memory = new Uint8Array(byteOffset + content.length);
          const target = memory.subarray(byteOffset);
          target.set(content);
          const start = Math.min(before, content.length);
          const end = Math.max(start, content.length - behind);
          const wireKey = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
          applyMask(target, wordsOf(target), start, end, wireKey | 0, phase);
          const expected = content.map((byte, i) =>
            i < start || i >= end ? byte : byte ^ (key[(i - start + phase) % 4] as number),
          );
          expect(hex(target)).toBe(hex(expected));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("wordsOf() begins with the word of the first byte and stays inside the memory", () => {
    const memory = new Uint8Array(15);
    for (const [start, end, byteOffset, length] of [
      [0, 15, 0, 3],
      [1, 15, 0, 3],
      [4, 8, 4, 1],
      [7, 11, 4, 1],
      [13, 15, 12, 0],
      [15, 15, 12, 0],
    ] as const) {
      const words = wordsOf(memory.subarray(start, end));
      expect([words.buffer === memory.buffer, words.byteOffset, words.length]).toEqual([true, byteOffset, length]);
    }
  });
});

describe("RFC 6455 §10.3 masking keys", () => {
  it("each is used once, and they are fetched in bulk", () => {
    let calls = 0;
    let counter = 0;
    const keys = new MaskingKeys((target) => {
      calls++;
      const view = new DataView(target.buffer, target.byteOffset);
      for (let i = 0; i < target.byteLength; i += 4) view.setInt32(i, ++counter, true);
    });
    expect(calls).toBe(0);
    const taken = new Set(Array.from({ length: 1000 }, () => keys.next()));
    expect(taken.size).toBe(1000);
    expect(calls).toBeLessThan(10);
  });
});
