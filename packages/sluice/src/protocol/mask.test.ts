import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyMask, MaskingKeys, wordsOf } from "./mask.ts";
import { allocateMaskable, maskMemory } from "./mask-memory.ts";
import { bytes, hex } from "./splits.test-support.ts";

const KEY = 0x3d21fa37; // 37 fa 21 3d on the wire

describe("RFC 6455 §5.3 Client-to-server masking", () => {
  it("masks the example of §5.7", () => {
    const payload = bytes("48 65 6c 6c 6f");
    applyMask(payload, wordsOf(payload), 0, 5, KEY, 0);
    expect(hex(payload)).toBe("7f 9f 4d 51 58");
  });

  // What WebAssembly masks in place, what it masks through a copy, and what no WebAssembly masks.
  it.each([
    { where: "memory that WebAssembly masks", allocate: allocateMaskable, memory: maskMemory(), maxLength: 200 },
    { where: "other memory", allocate: (size: number) => new Uint8Array(size), memory: maskMemory(), maxLength: 200 },
    { where: "long memory", allocate: (size: number) => new Uint8Array(size), memory: maskMemory(), maxLength: 40_000 },
    { where: "a runtime without", allocate: (size: number) => new Uint8Array(size), memory: null, maxLength: 200 },
  ])("XORs byte i with byte i mod 4 of the key, at every offset, length and phase, in $where", (path) => {
    const memory = path.allocate(path.maxLength + 16);
    fc.assert(
      fc.property(
        fc.nat({ max: path.maxLength }),
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.nat({ max: 7 }),
        fc.nat({ max: 20 }),
        fc.nat({ max: 20 }),
        fc.nat({ max: 9 }),
        (length, key, byteOffset, before, behind, phase) => {
          const target = memory.subarray(byteOffset, byteOffset + length);
          for (let i = 0; i < memory.length; i++) memory[i] = i * 7;
          const expected = memory.slice();
          const start = Math.min(before, length);
          const end = Math.max(start, length - behind);
          for (let i = start; i < end; i++) {
            (expected[byteOffset + i] as number) ^= key[(i - start + phase) % 4] as number;
          }
          const wireKey = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
          applyMask(target, wordsOf(target), start, end, wireKey | 0, phase, path.memory);
          expect(Buffer.compare(memory, expected)).toBe(0);
        },
      ),
      { numRuns: path.maxLength > 1000 ? 200 : 2000 },
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

  it("wordsOf() is all of the memory that WebAssembly masks", () => {
    const words = wordsOf(allocateMaskable(10));
    expect(words).toBe(maskMemory()?.words);
    expect(words.byteOffset).toBe(0);
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

  it("connections that share a source share what was fetched", () => {
    let calls = 0;
    const fillRandom = (): void => void calls++;
    MaskingKeys.of(fillRandom).next();
    MaskingKeys.of(fillRandom).next();
    expect(calls).toBe(1);
    expect(MaskingKeys.of(() => {})).not.toBe(MaskingKeys.of(fillRandom));
  });
});
