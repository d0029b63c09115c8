import { describe, expect, it } from "vitest";
import { createMaskModule } from "./mask-module.ts";
import { hex } from "./splits.test-support.ts";

/** To ask a disassembler with, such as `wasm2wat` of the WebAssembly Binary Toolkit: it prints the text of the sources. */
const MODULE = [
  "0061736d0100000001070160037f7f7f0003020100050401010101071102066d656d6f72790200046d61736b00000af6",
  "0101f30102017b017f2002fd112103200141c0006b210402400340200020044a0d0120002000fd0000002003fd51fd0b",
  "000020002000fd0000102003fd51fd0b001020002000fd0000202003fd51fd0b002020002000fd0000302003fd51fd0b",
  "0030200041c0006a21000c000b0b200141106b210402400340200020044a0d0120002000fd0000002003fd51fd0b0000",
  "200041106a21000c000b0b200141046b210402400340200020044a0d0120002000280000200273360000200041046a21",
  "000c000b0b200141016b210402400340200020044a0d01200020002d00002002733a000020024108782102200041016a",
  "21000c000b0b0b",
].join("");

function instantiate(pages: number): { memory: WebAssembly.Memory; mask(at: number, end: number, key: number): void } {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(createMaskModule(pages)));
  return exports as unknown as ReturnType<typeof instantiate>;
}

describe("the module that masks", () => {
  it("is these bytes", () => {
    expect(hex(createMaskModule(1)).replaceAll(" ", "")).toBe(MODULE);
  });

  it("is valid WebAssembly with a memory of exactly the given size", () => {
    expect(WebAssembly.validate(createMaskModule(1))).toBe(true);
    const { memory } = instantiate(200);
    expect(memory.buffer.byteLength).toBe(200 * 65_536);
    expect(() => memory.grow(1)).toThrow(RangeError);
  });

  it("masks the example of RFC 6455 §5.7", () => {
    const { memory, mask } = instantiate(1);
    const bytes = new Uint8Array(memory.buffer);
    bytes.set([0x48, 0x65, 0x6c, 0x6c, 0x6f], 3);
    mask(3, 8, 0x3d21fa37);
    expect(hex(bytes.subarray(0, 10))).toBe("00 00 00 7f 9f 4d 51 58 00 00");
  });

  it("masks every length from every address, and no byte beside it", () => {
    const { memory, mask } = instantiate(1);
    const bytes = new Uint8Array(memory.buffer);
    for (const at of [0, 1, 2, 3, 15, 64]) {
      for (let length = 0; length <= 200; length++) {
        bytes.fill(0xa5, 0, 300);
        mask(at, at + length, 0x84030201 | 0);
        const expected = new Uint8Array(300).fill(0xa5);
        for (let i = 0; i < length; i++) (expected[at + i] as number) ^= [1, 2, 3, 0x84][i & 3] as number;
        expect(hex(bytes.subarray(0, 300))).toBe(hex(expected));
      }
    }
  });

  it("masks up to the last byte of its memory", () => {
    const { memory, mask } = instantiate(1);
    const bytes = new Uint8Array(memory.buffer);
    mask(65_536 - 81, 65_536, 0x01010101);
    expect(bytes.subarray(65_536 - 82)).toEqual(new Uint8Array(82).fill(1).fill(0, 0, 1));
    expect(() => mask(65_536 - 16, 65_537, 0)).toThrow(WebAssembly.RuntimeError);
  });
});
