import { setTimeout as delay } from "node:timers/promises";
import { WebSocketStream } from "sluice";

/**
 * Clients that make something to see: each sends a message every now and then and reads the echo, but for the first, which sends
 * as fast as it can and reads nothing. Watch `sluice.output{state=peer}` and
 * `sluice.input{state=paused}` grow by a second each second, and `sluice.held` stay where it is.
 *
 * @returns a function that ends them
 */
export function startDemoClients(url: string, count: number): () => void {
  const streams = Array.from({ length: count }, () => new WebSocketStream(url));
  for (const [index, stream] of streams.entries()) {
    // A client whose connection ends has done its work.
    (index === 0 ? flood(stream) : chat(stream)).catch(() => {});
  }
  return () => {
    for (const stream of streams) stream.close();
  };
}

async function flood(stream: WebSocketStream): Promise<void> {
  const { writable } = await stream.opened;
  const writer = writable.getWriter();
  const message = new Uint8Array(16_384);
  for (;;) await writer.write(message);
}

async function chat(stream: WebSocketStream): Promise<void> {
  const { readable, writable } = await stream.opened;
  const reader = readable.getReader();
  const writer = writable.getWriter();
  for (let number = 0; ; number++) {
    await writer.write(`message ${number}`);
    await reader.read();
    await delay(100);
  }
}
