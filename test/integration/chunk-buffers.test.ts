import { WebSocketStream } from "sluice";
import { serve } from "sluice/server";
import { describe, expect, it } from "vitest";

/** What a client reads of 300 messages that a server sends in one go. */
async function readAll(options: { chunkBuffers?: "own" | "pooled" }): Promise<Uint8Array[]> {
  await using server = await serve({ port: 0, host: "127.0.0.1" }, async (stream) => {
    const writer = (await stream.opened).writable.getWriter();
    for (let i = 0; i < 300; i++) writer.write(Uint8Array.of(i & 0xff, ...new Array(i).fill(i >> 8)));
    await writer.close();
  });
  const stream = new WebSocketStream((await server.listening).url, options);
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await stream.opened).readable) chunks.push(chunk as Uint8Array);
  return chunks;
}

describe("chunkBuffers", () => {
  it('"own" is the default: each chunk has a buffer of exactly its length', async () => {
    for (const chunk of await readAll({}))
      expect([chunk.byteOffset, chunk.buffer.byteLength]).toEqual([0, chunk.length]);
  });

  it('"pooled" chunks share buffers with each other, and are what was sent', async () => {
    const chunks = await readAll({ chunkBuffers: "pooled" });
    expect(chunks.map((chunk) => [...chunk])).toEqual(
      Array.from({ length: 300 }, (_, i) => [i & 0xff, ...new Array(i).fill(i >> 8)]),
    );
    expect(new Set(chunks.map(({ buffer }) => buffer)).size).toBeLessThan(150);
  });

  it("anything else is a TypeError, on both ends", async () => {
    const options = { chunkBuffers: "shared" as "own" };
    expect(() => new WebSocketStream("ws://127.0.0.1:9", options)).toThrow(TypeError);
    await expect(serve({ port: 0, host: "127.0.0.1", ...options }, () => {})).rejects.toThrow(TypeError);
  });
});
