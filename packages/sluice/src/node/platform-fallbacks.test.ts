import zlib from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";

/** Of a process that begins now. */
async function findFallbacks() {
  vi.resetModules();
  return (await import("./platform-fallbacks.ts")).getPlatformFallbacks();
}

afterEach(() => vi.unstubAllGlobals());

describe("getPlatformFallbacks()", () => {
  it("is all zero on Node.js as it is", async () => {
    expect(await findFallbacks()).toEqual({ mask: 0, utf8: 0, zlib: 0 });
  });

  it("says where there is no WebAssembly", async () => {
    vi.stubGlobal("WebAssembly", undefined);
    expect(await findFallbacks()).toEqual({ mask: 1, utf8: 0, zlib: 0 });
  });

  it("says where Buffer's own text functions are missing", async () => {
    const prototype = Buffer.prototype as unknown as { utf8Slice: unknown };
    const { utf8Slice } = prototype;
    prototype.utf8Slice = undefined;
    try {
      expect(await findFallbacks()).toEqual({ mask: 0, utf8: 1, zlib: 0 });
    } finally {
      prototype.utf8Slice = utf8Slice;
    }
  });

  it("says where zlib's handle is another", async () => {
    const stream = Object.assign(zlib.createInflateRaw(), { _writeState: null });
    vi.spyOn(zlib, "createInflateRaw").mockReturnValue(stream);
    expect(await findFallbacks()).toEqual({ mask: 0, utf8: 0, zlib: 1 });
  });
});
