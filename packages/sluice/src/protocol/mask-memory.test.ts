import { afterEach, describe, expect, it, vi } from "vitest";
import { allocateMaskable, isMaskable, MaskMemory, maskMemory } from "./mask-memory.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

const create = () => MaskMemory.create(WebAssembly) as MaskMemory;

/** The module of a runtime in which `WebAssembly` is this. */
function importWith(wasm: unknown): Promise<typeof import("./mask-memory.ts")> {
  vi.stubGlobal("WebAssembly", wasm);
  vi.resetModules();
  return import("./mask-memory.ts");
}

describe("memory that WebAssembly masks", () => {
  it("is one for the process", () => {
    expect(maskMemory()).not.toBeNull();
    expect(maskMemory()).toBe(maskMemory());
  });

  it("allocate() gives parts that do not overlap each other or the scratch, until it is used up", () => {
    const memory = create();
    const { buffer } = memory.words;
    memory.scratch.fill(1);
    const parts: Uint8Array[] = [];
    for (let part = memory.allocate(100_001); part !== null; part = memory.allocate(100_001)) parts.push(part);
    expect(parts.length).toBe(22);
    for (const [i, part] of parts.entries()) part.fill(i + 2);
    for (const [i, part] of [memory.scratch, ...parts].entries()) {
      expect([part.buffer === buffer, part[0], part.at(-1)]).toEqual([true, i + 1, i + 1]);
    }
    // What is left serves a smaller wish, to the last byte.
    const last = parts.at(-1) as Uint8Array;
    const end = (last.byteOffset + last.byteLength + 63) & -64;
    expect(memory.allocate(buffer.byteLength - end + 1)).toBeNull();
    expect(memory.allocate(buffer.byteLength - end)?.byteOffset).toBe(end);
  });

  it("mask() sees the parts at their byteOffset", () => {
    const memory = create();
    const part = memory.allocate(70) as Uint8Array;
    memory.mask(part.byteOffset + 1, part.byteOffset + 69, 0x02020202);
    expect(part).toEqual(new Uint8Array(70).fill(2, 1, 69));
  });

  it("allocateMaskable() gives memory of the usual kind where there is none, or none left", () => {
    const memory = create();
    expect(allocateMaskable(10, memory).buffer).toBe(memory.words.buffer);
    expect(allocateMaskable(memory.words.byteLength, memory).buffer).not.toBe(memory.words.buffer);
    expect(allocateMaskable(10, null)).toEqual(new Uint8Array(10));
    expect(allocateMaskable(10, null).buffer.byteLength).toBe(10);
  });

  it("isMaskable() tells it from other memory", () => {
    expect(isMaskable(allocateMaskable(1))).toBe(true);
    expect(isMaskable(new Uint8Array(1))).toBe(false);
  });

  it("there is none where a policy, the processor, or the address space forbids it", () => {
    const { Module, Instance } = WebAssembly;
    class NoModule {
      constructor() {
        throw new WebAssembly.CompileError("forbidden");
      }
    }
    class NoInstance {
      constructor() {
        throw new RangeError("Out of memory");
      }
    }
    expect(MaskMemory.create({ Module: NoModule, Instance } as unknown as typeof WebAssembly)).toBeNull();
    expect(MaskMemory.create({ Module, Instance: NoInstance } as unknown as typeof WebAssembly)).toBeNull();
  });

  it("there is none in a runtime without WebAssembly", async () => {
    const without = await importWith(undefined);
    expect(without.maskMemory()).toBeNull();
    const bytes = without.allocateMaskable(5);
    expect([bytes.byteLength, bytes.buffer.byteLength, without.isMaskable(bytes)]).toEqual([5, 5, false]);
  });
});
