import { describe, expect, it } from "vitest";
import { ChunkSlab } from "./chunk-slab.ts";

function createInput(byteLength: number): Uint8Array {
  return Uint8Array.from({ length: byteLength }, (_, i) => (i * 31) & 0xff);
}

describe("ChunkSlab", () => {
  it("gives the bytes, next to each other and to nothing else", () => {
    const slab = new ChunkSlab();
    const input = createInput(1000);
    const chunks = [
      slab.copy(input, 2, 34),
      slab.copy(input, 40, 140),
      slab.copy(input, 150, 150),
      slab.copy(input, 150, 400),
    ];
    expect(chunks.map((chunk) => [...chunk])).toEqual(
      [input.subarray(2, 34), input.subarray(40, 140), [], input.subarray(150, 400)].map((bytes) => [...bytes]),
    );
    expect(new Set(chunks.map(({ buffer }) => buffer)).size).toBe(1);
    expect(chunks.map(({ byteOffset }) => byteOffset)).toEqual([0, 32, 132, 132]);
    expect(chunks[0]?.buffer).not.toBe(input.buffer);
  });

  it("a message alone in its input has a buffer of exactly its length", () => {
    const slab = new ChunkSlab();
    const input = createInput(127);
    const first = slab.copy(input, 2, 127);
    const second = slab.copy(input, 2, 127);
    expect([first, second].map(({ buffer }) => buffer.byteLength)).toEqual([125, 125]);
    expect(first.buffer).not.toBe(second.buffer);
  });

  it("takes the next buffer when the first is full, and none is longer than 16 KiB", () => {
    const slab = new ChunkSlab();
    const input = createInput(65_536);
    const chunks = Array.from({ length: 40 }, (_, i) => slab.copy(input, i * 1600, i * 1600 + 1500));
    for (const [i, chunk] of chunks.entries()) {
      expect([...chunk]).toEqual([...input.subarray(i * 1600, i * 1600 + 1500)]);
      expect(chunk.buffer.byteLength).toBeLessThanOrEqual(16_384);
    }
    expect(new Set(chunks.map(({ buffer }) => buffer)).size).toBe(4);
  });

  it("a long message has a buffer of its own", () => {
    const slab = new ChunkSlab();
    const input = createInput(4096);
    const long = slab.copy(input, 0, 2049);
    expect([long.byteOffset, long.buffer.byteLength]).toEqual([0, 2049]);
    expect([...long]).toEqual([...input.subarray(0, 2049)]);
  });
});
