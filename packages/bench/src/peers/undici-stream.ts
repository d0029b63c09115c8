import { Agent, setGlobalDispatcher, WebSocketStream } from "undici";
import type { Adapter } from "../agent/channel.ts";
import type { Message } from "../agent/payloads.ts";
import { createStreamChannel } from "./stream-channel.ts";

/** undici's WebSocketStream, a client. */
const adapter: Adapter = {
  async connect(url, setup) {
    // Its options have no dispatcher, unlike those of the WebSocket beside it.
    if (setup.tls !== undefined) setGlobalDispatcher(new Agent({ connect: { ca: setup.tls.cert } }));
    const stream = new WebSocketStream(url);
    const { readable, writable } = await stream.opened;
    return createStreamChannel({
      readable: readable as unknown as ReadableStream<Message>,
      writable: writable as unknown as WritableStream<Message>,
      close: () => stream.close(),
    });
  },
};
export default adapter;
