import { describe, expect, it } from "vitest";
import { isMaskable } from "./mask-memory.ts";
import { BLOCK_BYTES, LARGE_BLOCK_BYTES, OutputBlocks, recycleBlock } from "./output-blocks.ts";

/** Reserves and fills `size` bytes. */
function put(blocks: OutputBlocks, size: number, value: number): Uint8Array {
  const block = blocks.reserve(size);
  block.fill(value, blocks.offset, blocks.offset + size);
  blocks.commit(size);
  return block;
}

const take = (blocks: OutputBlocks) => blocks.take() as Uint8Array;

function takeAll(blocks: OutputBlocks, count: number, size: number): Uint8Array[] {
  return Array.from({ length: count }, () => {
    put(blocks, size, 1);
    return take(blocks);
  });
}

/** Where bytes lie, in a form that compares: many blocks are parts of one buffer. */
const numbers = new WeakMap<ArrayBufferLike, number>();
let lastNumber = 0;
function place(bytes: Uint8Array): string {
  let number = numbers.get(bytes.buffer);
  if (number === undefined) {
    number = ++lastNumber;
    numbers.set(bytes.buffer, number);
  }
  return `${number}@${bytes.byteOffset}`;
}

describe("blocks of output", () => {
  it("many small pieces share one, which can be taken at any time", () => {
    const blocks = new OutputBlocks();
    expect(blocks.take()).toBeNull();
    put(blocks, 2, 1);
    put(blocks, 3, 2);
    expect([blocks.byteLength, blocks.hasFull]).toEqual([5, false]);
    const taken = take(blocks);
    expect(taken).toEqual(Uint8Array.of(1, 1, 2, 2, 2));
    expect([blocks.byteLength, blocks.take()]).toEqual([0, null]);
    recycleBlock(taken);
  });

  it("a piece that does not fit the rest begins the next block; order is kept", () => {
    const blocks = new OutputBlocks();
    put(blocks, BLOCK_BYTES - 1, 1);
    expect(blocks.hasFull).toBe(false);
    put(blocks, 2, 2);
    expect([blocks.hasFull, blocks.byteLength]).toEqual([true, BLOCK_BYTES + 1]);
    const first = take(blocks);
    expect([first.length, first[0], blocks.hasFull, blocks.byteLength]).toEqual([BLOCK_BYTES - 1, 1, false, 2]);
    const second = take(blocks);
    expect([...second]).toEqual([2, 2]);
    recycleBlock(first);
    recycleBlock(second);
  });

  it("a piece larger than a block gets a larger one, from a pool of its own", () => {
    const blocks = new OutputBlocks();
    const block = put(blocks, BLOCK_BYTES + 1, 1);
    expect(block.byteLength).toBe(LARGE_BLOCK_BYTES);
    const large = take(blocks);
    expect(large).toEqual(new Uint8Array(BLOCK_BYTES + 1).fill(1));
    recycleBlock(large);
    expect(put(blocks, 1, 2).byteLength).toBe(BLOCK_BYTES);
    recycleBlock(take(blocks));
    put(blocks, LARGE_BLOCK_BYTES, 3);
    const next = take(blocks);
    expect(place(next)).toBe(place(large));
    recycleBlock(next);
  });

  it("a piece larger than those gets memory of its own size, which never enters a pool", () => {
    const blocks = new OutputBlocks();
    put(blocks, LARGE_BLOCK_BYTES + 1, 1);
    const huge = take(blocks);
    expect([huge.byteLength, huge.buffer.byteLength]).toEqual([LARGE_BLOCK_BYTES + 1, LARGE_BLOCK_BYTES + 1]);
    recycleBlock(huge);
    put(blocks, LARGE_BLOCK_BYTES, 2);
    expect(take(blocks).buffer).not.toBe(huge.buffer);
  });

  it("wordsOf() follows the block", () => {
    const blocks = new OutputBlocks();
    const first = put(blocks, 8, 1);
    const words = blocks.wordsOf(first);
    expect([words.buffer === first.buffer, blocks.wordsOf(first) === words]).toEqual([true, true]);
    take(blocks);
    const second = put(blocks, 8, 2);
    expect(blocks.wordsOf(second).buffer).toBe(second.buffer);
  });

  it("memory that was given back is used again, cleared of nothing but its length", () => {
    const blocks = new OutputBlocks();
    put(blocks, 10, 1);
    const taken = take(blocks);
    recycleBlock(taken);
    put(blocks, 4, 2);
    expect(place(take(blocks))).toBe(place(taken));
  });

  it("memory that is not a taken block, or not the whole of it, is left alone", () => {
    const blocks = new OutputBlocks();
    const foreign = new Uint8Array(BLOCK_BYTES);
    recycleBlock(foreign);
    put(blocks, 10, 1);
    const taken = take(blocks);
    expect(taken.buffer).not.toBe(foreign.buffer);
    recycleBlock(taken.subarray(0, 9));
    recycleBlock(taken.subarray(1));
    recycleBlock(new Uint8Array(taken.buffer, taken.byteOffset, 10));
    put(blocks, 10, 2);
    expect(place(take(blocks))).not.toBe(place(taken));
  });

  it("a block that is given back twice serves one user", () => {
    const blocks = new OutputBlocks();
    put(blocks, 10, 1);
    const taken = take(blocks);
    recycleBlock(taken);
    recycleBlock(taken);
    const one = new OutputBlocks();
    const other = new OutputBlocks();
    expect(place(put(one, 1, 1))).not.toBe(place(put(other, 1, 2)));
    one.clear();
    other.clear();
  });

  it("memory that was transferred away meanwhile is not given to anybody", () => {
    const blocks = new OutputBlocks();
    const taken = takeAll(blocks, 40, BLOCK_BYTES).find((block) => !isMaskable(block)) as Uint8Array;
    structuredClone(taken.buffer, { transfer: [taken.buffer as ArrayBuffer] });
    recycleBlock(taken);
    put(blocks, 10, 2);
    expect(take(blocks)).toEqual(new Uint8Array(10).fill(2));
  });

  it.each([
    { size: BLOCK_BYTES, most: 16 },
    { size: LARGE_BLOCK_BYTES, most: 8 },
  ])("the pool of $size bytes keeps 1 MiB and no more, besides memory that cannot be given back", ({ size, most }) => {
    const blocks = new OutputBlocks();
    const taken = takeAll(blocks, 40, size);
    expect(new Set(taken.map(place)).size).toBe(40);
    // Those that can be collected first, so that the others come to a full pool.
    const collectable = taken.filter((block) => !isMaskable(block));
    const others = taken.filter((block) => isMaskable(block));
    expect(collectable.length).toBeGreaterThan(most);
    for (const block of [...collectable, ...others]) recycleBlock(block);
    const places = new Set(taken.map(place));
    const reused = takeAll(blocks, 40, size).filter((block) => places.has(place(block)));
    expect(reused).toHaveLength(most + others.length);
    for (const block of reused) recycleBlock(block);
  });

  it("clear() forgets all bytes and gives the memory back", () => {
    const blocks = new OutputBlocks();
    const first = place(put(blocks, BLOCK_BYTES, 1));
    const second = place(put(blocks, 1, 1));
    blocks.clear();
    expect([blocks.byteLength, blocks.hasFull, blocks.take()]).toEqual([0, false, null]);
    const next = new OutputBlocks();
    const reused = [place(put(next, BLOCK_BYTES, 2)), place(put(next, BLOCK_BYTES, 2))];
    expect(new Set(reused)).toEqual(new Set([first, second]));
    next.clear();
  });
});
