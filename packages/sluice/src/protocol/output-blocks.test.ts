import { describe, expect, it } from "vitest";
import { BLOCK_BYTES, OutputBlocks, recycleBlock } from "./output-blocks.ts";

/** Reserves and fills `size` bytes. */
function put(blocks: OutputBlocks, size: number, value: number): Uint8Array {
  const block = blocks.reserve(size);
  block.fill(value, blocks.offset, blocks.offset + size);
  blocks.commit(size);
  return block;
}

const take = (blocks: OutputBlocks) => blocks.take() as Uint8Array;

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

  it("a piece larger than a block gets a block of its own size, which never enters the pool", () => {
    const blocks = new OutputBlocks();
    put(blocks, BLOCK_BYTES + 1, 1);
    put(blocks, 1, 2);
    const large = take(blocks);
    expect([large.byteLength, large.buffer.byteLength]).toEqual([BLOCK_BYTES + 1, BLOCK_BYTES + 1]);
    recycleBlock(large);
    put(blocks, 1, 3);
    expect(take(blocks).buffer.byteLength).toBe(BLOCK_BYTES);
  });

  it("wordsOf() follows the block", () => {
    const blocks = new OutputBlocks();
    const first = put(blocks, 8, 1);
    const words = blocks.wordsOf(first);
    expect([words.buffer === first.buffer, words.byteOffset, blocks.wordsOf(first) === words]).toEqual([true, 0, true]);
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
    expect(take(blocks).buffer).toBe(taken.buffer);
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
    recycleBlock(new Uint8Array(taken.buffer, 1, 10));
    put(blocks, 10, 2);
    expect(take(blocks).buffer).not.toBe(taken.buffer);
  });

  it("a block that is given back twice serves one user", () => {
    const blocks = new OutputBlocks();
    put(blocks, 10, 1);
    const taken = take(blocks);
    recycleBlock(taken);
    recycleBlock(taken);
    const one = new OutputBlocks();
    const other = new OutputBlocks();
    expect(put(one, 1, 1).buffer).not.toBe(put(other, 1, 2).buffer);
    one.clear();
    other.clear();
  });

  it("memory that was transferred away meanwhile is not given to anybody", () => {
    const blocks = new OutputBlocks();
    put(blocks, 10, 1);
    const taken = take(blocks);
    structuredClone(taken.buffer, { transfer: [taken.buffer as ArrayBuffer] });
    recycleBlock(taken);
    put(blocks, 10, 2);
    expect(take(blocks)).toEqual(new Uint8Array(10).fill(2));
  });

  it("the pool keeps 1 MiB and no more", () => {
    const blocks = new OutputBlocks();
    const taken = Array.from({ length: 40 }, () => {
      put(blocks, BLOCK_BYTES, 1);
      return take(blocks);
    });
    const memory = new Set(taken.map((block) => block.buffer));
    expect(memory.size).toBe(40);
    for (const block of taken) recycleBlock(block);
    let reused = 0;
    for (let i = 0; i < 40; i++) {
      put(blocks, BLOCK_BYTES, 2);
      if (memory.has(take(blocks).buffer)) reused++;
    }
    expect(reused).toBe(16);
  });

  it("clear() forgets all bytes and gives the memory back", () => {
    const blocks = new OutputBlocks();
    const first = put(blocks, BLOCK_BYTES, 1).buffer;
    const second = put(blocks, 1, 1).buffer;
    blocks.clear();
    expect([blocks.byteLength, blocks.hasFull, blocks.take()]).toEqual([0, false, null]);
    const next = new OutputBlocks();
    const reused = [put(next, BLOCK_BYTES, 2).buffer, put(next, BLOCK_BYTES, 2).buffer];
    expect(new Set(reused)).toEqual(new Set([first, second]));
    next.clear();
  });
});
