import type { Channel } from "../agent/channel.ts";
import { createEventChannel, untilBelow } from "./event-channel.ts";

/** A channel on a `WebSocket` as the web has it, once that is open. */
export async function openWebSocket(socket: WebSocket): Promise<Channel> {
  socket.binaryType = "arraybuffer";
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`Cannot connect to ${socket.url}`));
  });
  return createWebSocketChannel(socket);
}

/** A channel on an open `WebSocket`. */
export function createWebSocketChannel(socket: WebSocket): Channel {
  return createEventChannel({
    onMessage(handler) {
      socket.onmessage = ({ data }) => {
        handler(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
      };
    },
    send: (message) => socket.send(message as string | Uint8Array<ArrayBuffer>),
    whenWritable: () => untilBelow(() => socket.bufferedAmount),
    close: () => socket.close(),
    heldBytes: () => ({ in: 0, out: socket.bufferedAmount }),
  });
}
