import { describe, expect, it } from "vitest";
import { WebSocket } from "../../packages/sluice/src/legacy/websocket.ts";
import type { PerMessageDeflateOptions } from "../../packages/sluice/src/protocol/permessage-deflate/negotiate.ts";
import { type ServerWebSocketStream, serve } from "../../packages/sluice/src/server.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { createScope } from "../support/scope.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const use = createScope();

const LENGTH = 100_000;
const TEXT = "a".repeat(LENGTH);
const BYTES = new Uint8Array(LENGTH).fill(1);
const onlyText = (message: string | Uint8Array): boolean => typeof message === "string";

/** A server for one connection. */
async function listen(perMessageDeflate: boolean | PerMessageDeflateOptions) {
  const accepted = withResolvers<ServerWebSocketStream>();
  const options = { port: 0, host: "127.0.0.1", perMessageDeflate, readableStrategy: { highWaterMark: 10 } };
  const server = use(
    await serve(options, async (stream) => {
      accepted.resolve(stream);
      await stream.closed;
    }),
  );
  return { url: (await server.listening).url, accepted: accepted.promise };
}

/** Bytes on the wire per message, as whoever reads them counts. */
async function countReceived(stream: ServerWebSocketStream | WebSocketStream, messages: number): Promise<number[]> {
  const { readable } = await stream.opened;
  const counts: number[] = [];
  let before = 0;
  for await (const message of readable.values({ preventCancel: true })) {
    expect(message.length).toBe(LENGTH);
    const { bytesReceived } = stream.metrics();
    counts.push(bytesReceived - before);
    before = bytesReceived;
    if (counts.length === messages) break;
  }
  return counts;
}

describe("perMessageDeflate.filter, with the extension negotiated", () => {
  it("of a client's stream decides what the client sends", async () => {
    const { url, accepted } = await listen(true);
    const client = new WebSocketStream(url, { perMessageDeflate: { filter: onlyText } });
    const { writable, extensions } = await client.opened;
    expect(extensions).toMatch(/^permessage-deflate/);
    const writer = writable.getWriter();
    const server = await accepted;
    const sentBytes: number[] = [];
    for (const message of [TEXT, BYTES]) {
      const before = client.metrics().bytesSent;
      await writer.write(message);
      sentBytes.push(client.metrics().bytesSent - before);
    }
    expect(sentBytes[0]).toBeLessThan(1_000);
    expect(sentBytes[1]).toBeGreaterThan(LENGTH);
    expect((await countReceived(server, 2)).reduce((sum, count) => sum + count)).toBeLessThan(LENGTH + 1_000);
    client.close();
    await client.closed;
  });

  it("of a stream sees the buffer that was passed, so that single messages can be marked", async () => {
    const { url, accepted } = await listen(true);
    const marked = new WeakSet<ArrayBufferLike>();
    const filter = (message: string | Uint8Array): boolean =>
      typeof message === "string" || !marked.has(message.buffer);
    const client = new WebSocketStream(url, { perMessageDeflate: { filter } });
    const writer = (await client.opened).writable.getWriter();
    const [plain, alsoPlain] = [BYTES.slice(), BYTES.slice().buffer];
    marked.add(plain.buffer).add(alsoPlain);
    for (const message of [BYTES, plain, alsoPlain]) await writer.write(message);
    const total = (await countReceived(await accepted, 3)).reduce((sum, count) => sum + count);
    expect(total).toBeGreaterThan(2 * LENGTH);
    expect(total).toBeLessThan(2 * LENGTH + 1_000);
    client.close();
    await client.closed;
  });

  it("of a WebSocket decides what it sends, Blobs included", async () => {
    const { url, accepted } = await listen(true);
    const asked: string[] = [];
    const filter = (message: string | Uint8Array): boolean => {
      asked.push(typeof message);
      return onlyText(message);
    };
    const client = new WebSocket(url, { perMessageDeflate: { filter } });
    await new Promise((resolve) => client.addEventListener("open", resolve));
    expect(client.extensions).toMatch(/^permessage-deflate/);
    client.send(TEXT);
    client.send(BYTES.buffer);
    client.send(new Blob([BYTES]));
    const server = await accepted;
    const counts = await countReceived(server, 3);
    expect(asked).toEqual(["string", "object", "object"]);
    const total = counts.reduce((sum, count) => sum + count);
    expect(total).toBeGreaterThan(2 * LENGTH);
    expect(total).toBeLessThan(2 * LENGTH + 1_000);
    client.close();
    await new Promise((resolve) => client.addEventListener("close", resolve));
  });

  it("of a server decides what the server sends", async () => {
    const { url, accepted } = await listen({ filter: onlyText });
    const client = new WebSocketStream(url);
    const { writable } = await (await accepted).opened;
    const writer = writable.getWriter();
    const writing = Promise.all([writer.write(TEXT), writer.write(BYTES)]);
    const total = (await countReceived(client, 2)).reduce((sum, count) => sum + count);
    await writing;
    expect(total).toBeGreaterThan(LENGTH);
    expect(total).toBeLessThan(LENGTH + 1_000);
    client.close();
    await client.closed;
  });

  it("that is no function is a TypeError at once", () => {
    const perMessageDeflate = { filter: "images" } as unknown as PerMessageDeflateOptions;
    expect(() => new WebSocketStream("ws://127.0.0.1:9/", { perMessageDeflate })).toThrow(TypeError);
    expect(() => new WebSocket("ws://127.0.0.1:9/", { perMessageDeflate })).toThrow(TypeError);
  });
});
