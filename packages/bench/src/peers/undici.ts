import { Agent, WebSocket } from "undici";
import type { Adapter } from "../agent/channel.ts";
import { openWebSocket } from "./web-socket-channel.ts";

/** undici's WebSocket, a client: the one that Node has built in. */
const adapter: Adapter = {
  connect(url, setup) {
    const options = setup.tls && { dispatcher: new Agent({ connect: { ca: setup.tls.cert } }) };
    return openWebSocket(new WebSocket(url, options) as unknown as globalThis.WebSocket);
  },
};
export default adapter;
