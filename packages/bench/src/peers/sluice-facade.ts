import type { Adapter } from "../agent/channel.ts";
import { loadSluice } from "./sluice.ts";
import { openWebSocket } from "./web-socket-channel.ts";

/** Our class with the events of the web, as a client; `onmessage`, one event a task. */
const adapter: Adapter = {
  async connect(url, setup) {
    const { WebSocket } = await loadSluice<typeof import("sluice")>(setup, "index");
    const socket = new WebSocket(url, {
      perMessageDeflate: setup.deflate === true ? { thresholdBytes: 0 } : false,
      ...(setup.tls && { tls: { ca: setup.tls.cert } }),
    });
    return openWebSocket(socket as unknown as globalThis.WebSocket);
  },
};
export default adapter;
