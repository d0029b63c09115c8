import { createSluiceAdapter } from "./sluice.ts";

/** Our stream pair with chunks that may share a buffer with other chunks of their connection. */
export default createSluiceAdapter({ chunkBuffers: "pooled" });
