import { maskMemory } from "../protocol/mask-memory.ts";
import { publicUtf8Codec, utf8Codec } from "./utf8-codec.ts";
import { hasSyncZlib } from "./zlib-handle.ts";

/**
 * Faster ways that a runtime may lack, each of them looked at before it is used: `mask` WebAssembly with vectors, `utf8` the text
 * functions of Buffer, `zlib` the synchronous call of zlib's handle.
 */
export type PlatformFallback = "mask" | "utf8" | "zlib";

/** What this process does without: 1 for each way that it lacks, else 0. Looks at each once, at the first call. */
export function getPlatformFallbacks(): Record<PlatformFallback, 0 | 1> {
  return {
    mask: maskMemory() === null ? 1 : 0,
    utf8: utf8Codec === publicUtf8Codec ? 1 : 0,
    zlib: hasSyncZlib() ? 0 : 1,
  };
}
