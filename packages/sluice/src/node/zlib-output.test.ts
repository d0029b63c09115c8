import { describe, expect, it } from "vitest";
import { History } from "./zlib-history.ts";
import { SCRATCH_BYTES, scratch, ZlibOutput } from "./zlib-output.ts";

function write(output: ZlibOutput, bytes: Uint8Array): boolean {
  scratch.set(bytes, output.start);
  return output.advance(bytes.length);
}

function remembered(history: History): number[] {
  return [...history.writeStoredBlock(new Uint8Array(5 + 32_768)).subarray(5)];
}

describe("ZlibOutput", () => {
  it("offers the rest of the scratch memory, or one byte past the limit", () => {
    const output = new ZlibOutput();
    output.begin(1_000_000);
    expect(output.room).toBe(SCRATCH_BYTES);
    write(output, Uint8Array.of(1, 2, 3));
    expect(output.room).toBe(SCRATCH_BYTES - 3);
    output.begin(10);
    expect(output.room).toBe(11);
    expect(write(output, new Uint8Array(10))).toBe(true);
    expect(output.room).toBe(1);
    expect(write(output, new Uint8Array(1))).toBe(false);
  });

  it("joins scratch memory and pieces in order, and trims the end, over piece borders too", () => {
    for (const trim of [0, 1, 3, 4]) {
      const output = new ZlibOutput();
      output.begin(100);
      output.add(Uint8Array.of(1, 2));
      write(output, Uint8Array.of(3, 4));
      output.spill();
      output.spill();
      output.add(Uint8Array.of(5));
      write(output, Uint8Array.of(6));
      expect(output.length).toBe(6);
      expect([...output.take(trim)]).toEqual([1, 2, 3, 4, 5, 6].slice(0, 6 - trim));
    }
  });

  it("take() gives memory of its own, view() the scratch memory where it can", () => {
    const output = new ZlibOutput();
    output.begin(100);
    write(output, Uint8Array.of(1, 2));
    expect(output.view().buffer).toBe(scratch.buffer);
    expect([...output.view()]).toEqual([1, 2]);
    expect(output.take(0).buffer).not.toBe(scratch.buffer);
    output.add(Uint8Array.of(3));
    expect(output.view().buffer).not.toBe(scratch.buffer);
  });

  it("detach() moves everything to an output that the next call does not touch", () => {
    const shared = new ZlibOutput();
    shared.begin(5);
    write(shared, Uint8Array.of(1, 2));
    const own = shared.detach();
    shared.begin(100);
    write(shared, Uint8Array.of(9, 9, 9));
    expect(own.length).toBe(2);
    expect(own.add(Uint8Array.of(3, 4, 5))).toBe(true);
    expect(own.add(Uint8Array.of(6))).toBe(false);
    expect([...own.take(0)]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...shared.take(0)]).toEqual([9, 9, 9]);
  });

  it("remembers each byte once, wherever it stands", () => {
    const output = new ZlibOutput();
    const history = new History(8);
    output.begin(10_000);
    write(output, Uint8Array.of(1, 2));
    output.rememberIn(history);
    output.rememberIn(history);
    write(output, Uint8Array.of(3));
    output.spill();
    output.rememberIn(history);
    output.add(Uint8Array.of(4, 5));
    write(output, Uint8Array.of(6));
    output.rememberIn(history);
    expect(remembered(history)).toEqual([1, 2, 3, 4, 5, 6]);
    output.add(new Uint8Array(200).fill(7));
    output.add(new Uint8Array(100).fill(8));
    write(output, new Uint8Array(50).fill(9));
    output.rememberIn(history);
    expect(remembered(history)).toEqual([
      ...new Array(106).fill(7),
      ...new Array(100).fill(8),
      ...new Array(50).fill(9),
    ]);
  });
});
