import { MessageByteLengthStrategy, WebSocketError, WebSocketStream } from "sluice";
import { WebSocketProtocol } from "sluice/protocol";
import { type ServerWebSocketStream, serve } from "sluice/server";
import { createPair } from "sluice/testing";

const server = await serve({ port: 0, protocols: ["v1"] }, async (stream: ServerWebSocketStream) => {
  const path: string | undefined = stream.request.url;
  const { readable, writable } = await stream.opened;
  await readable.pipeThrough(new TransformStream<string | Uint8Array, string>()).pipeTo(writable);
  console.log(path);
});
const address: { url: string; port: number } = await server.listening;

const stream: WebSocketStream = new WebSocketStream(address.url, {
  protocols: ["v1"],
  headers: { authorization: "Bearer x" },
  readableStrategy: new MessageByteLengthStrategy({ highWaterMark: 65_536 }),
});
try {
  const { readable, protocol } = await stream.opened;
  for await (const message of readable) {
    const length: number = typeof message === "string" ? message.length : message.byteLength;
    console.log(protocol, length);
  }
} catch (error) {
  if (error instanceof WebSocketError) console.log(error.closeCode satisfies number | null, error.reason.length);
}

console.log(createPair().client.url, typeof WebSocketProtocol);
