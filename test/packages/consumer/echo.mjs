import { WebSocketStream } from "sluice";
import { serve } from "sluice/server";

const server = await serve({ port: 0, host: "127.0.0.1" }, async (stream) => {
  const { readable, writable } = await stream.opened;
  await readable.pipeTo(writable);
});
const { url } = await server.listening;

const stream = new WebSocketStream(url);
const { readable, writable } = await stream.opened;
const reader = readable.getReader();
await writable.getWriter().write("hello from outside");
console.log(`echo: ${(await reader.read()).value}`);
stream.close({ closeCode: 1000, reason: "done" });
const { closeCode, reason } = await stream.closed;
console.log(`closed: ${closeCode} ${reason}`);
await server.close();
