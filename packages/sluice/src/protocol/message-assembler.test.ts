import { describe, expect, it } from "vitest";
import { MessageAssembler } from "./message-assembler.ts";

const MIB = 2 ** 20;
const filled = (length: number, value: number) => new Uint8Array(length).fill(value);

describe("joining a message", () => {
  it("take() gives exactly its bytes, in memory of its own, and leaves nothing (D-09)", () => {
    const assembler = new MessageAssembler();
    const source = Uint8Array.of(9, 1, 2, 3, 9);
    assembler.append(source, 1, 3, 0);
    assembler.append(source, 3, 4, 0);
    const message = assembler.take();
    source.fill(0);
    expect(message).toEqual(Uint8Array.of(1, 2, 3));
    expect([message.byteOffset, message.buffer.byteLength]).toEqual([0, 3]);
    expect([assembler.length, assembler.capacity]).toEqual([0, 0]);
  });

  it("take() of an empty message gives memory of its own too, which can be transferred", () => {
    const assembler = new MessageAssembler();
    const first = assembler.take();
    structuredClone(first, { transfer: [first.buffer] });
    expect(assembler.take().buffer).not.toBe(first.buffer);
    assembler.append(Uint8Array.of(1), 0, 1, 0);
    expect(assembler.take()).toEqual(Uint8Array.of(1));
  });

  it("takes memory once where the length is known and up to 1 MiB", () => {
    const assembler = new MessageAssembler();
    assembler.append(filled(10, 1), 0, 10, MIB);
    expect(assembler.capacity).toBe(MIB);
    const memory = assembler.bytes;
    assembler.append(filled(MIB - 10, 2), 0, MIB - 10, MIB);
    expect(assembler.take()).toBe(memory);
  });

  it("takes 1 MiB for a header that promises 100, and then grows with what has come", () => {
    const assembler = new MessageAssembler();
    assembler.append(filled(1, 1), 0, 1, 100 * MIB);
    expect(assembler.capacity).toBe(MIB);
    const piece = filled(MIB / 2, 2);
    for (let i = 0; i < 8; i++) {
      assembler.append(piece, 0, piece.length, 100 * MIB);
      expect(assembler.capacity).toBeLessThanOrEqual(2 * assembler.length + MIB);
    }
  });

  it("ends with exactly the length that was known, and copies nothing at the end", () => {
    const assembler = new MessageAssembler();
    const total = 3 * MIB + 5;
    const piece = filled(MIB - 1, 7);
    for (let left = total; left > 0; ) {
      const length = Math.min(left, piece.length);
      assembler.append(piece, 0, length, total);
      left -= length;
    }
    const memory = assembler.bytes;
    expect(assembler.capacity).toBe(total);
    expect(assembler.take()).toBe(memory);
  });

  it("a last slice whose end is known makes no room behind it", () => {
    const assembler = new MessageAssembler();
    assembler.append(filled(100, 1), 0, 100, 0);
    assembler.append(filled(3, 2), 0, 3, 103);
    expect(assembler.capacity).toBe(103);
  });

  it("copies a message of many small slices a few times only", () => {
    const assembler = new MessageAssembler();
    let grown = 0;
    for (let i = 0; i < 20_000; i++) {
      const before = assembler.capacity;
      assembler.append(Uint8Array.of(i & 0xff), 0, 1, 0);
      if (assembler.capacity !== before) grown++;
    }
    expect(grown).toBeLessThan(20);
    expect(assembler.capacity).toBeLessThanOrEqual(40_000);
    const message = assembler.take();
    expect([message.length, message.buffer.byteLength]).toEqual([20_000, 20_000]);
    expect(message.every((byte, i) => byte === (i & 0xff))).toBe(true);
  });

  it("takes memory once for a message of unknown length that is as long as the one before", () => {
    const assembler = new MessageAssembler();
    const appendAll = (length: number): void => {
      for (let i = 0; i < length; i += 1000) assembler.append(filled(1000, 1), 0, Math.min(1000, length - i), 0);
    };
    appendAll(12_345);
    assembler.take();
    assembler.append(filled(1, 2), 0, 1, 0);
    expect(assembler.capacity).toBe(12_345);
    const memory = assembler.bytes;
    appendAll(12_344);
    expect(assembler.take()).toBe(memory);
    // A longer one goes on by doubling, a shorter one is cut, one whose length is known takes that.
    appendAll(12_346);
    expect(assembler.capacity).toBe(24_690);
    expect(assembler.take().buffer.byteLength).toBe(12_346);
    appendAll(7);
    expect(assembler.capacity).toBe(12_346);
    expect(assembler.take().buffer.byteLength).toBe(7);
    appendAll(50);
    assembler.take();
    assembler.append(filled(10, 1), 0, 10, 20);
    expect(assembler.capacity).toBe(20);
  });

  it("takes 1 MiB at once for a message after one of 3, and then grows with what has come", () => {
    const assembler = new MessageAssembler();
    assembler.append(filled(3 * MIB, 1), 0, 3 * MIB, 0);
    assembler.take();
    const capacities: number[] = [];
    for (let i = 0; i < 6; i++) {
      assembler.append(filled(MIB / 2, 1), 0, MIB / 2, 0);
      capacities.push(assembler.capacity / MIB);
    }
    expect(capacities).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it("clear() frees everything", () => {
    const assembler = new MessageAssembler();
    assembler.append(filled(10, 1), 0, 10, 0);
    assembler.clear();
    expect([assembler.length, assembler.capacity, assembler.take().length]).toEqual([0, 0, 0]);
  });
});
