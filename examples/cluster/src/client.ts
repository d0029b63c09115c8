// A process with clients for the measurement: on each connection some messages are under way all the time.
import { WebSocketStream } from "sluice";
import { type ClientSettings, type Command, getUsage, report } from "./messages.ts";

/** What travels: 125 bytes, the most that fits a frame header of two bytes. */
const TEXT = "x".repeat(125);

const { url, connections, pipeline } = JSON.parse(process.argv[2]) as ClientSettings;
const streams = Array.from({ length: connections }, () => new WebSocketStream(url));
let echoes = 0;
let isStopping = false;

try {
  await Promise.all(streams.map(({ opened }) => opened));
  for (const stream of streams) exchange(stream).catch(fail);
  process.on("message", ({ type }: Command) => {
    if (type === "usage") report({ type: "usage", usage: getUsage(echoes, []) });
    else void stop();
  });
  process.once("disconnect", () => process.exit());
  report({ type: "ready", port: 0 });
} catch (error) {
  fail(error);
}

async function exchange(stream: WebSocketStream): Promise<void> {
  const { readable, writable } = await stream.opened;
  const reader = readable.getReader();
  const writer = writable.getWriter();
  await reader.read(); // the worker's name
  for (let sent = 0; sent < pipeline; sent++) await writer.write(TEXT);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error("The server closed a connection");
    if (value.length !== TEXT.length) throw new Error("An echo is not what was sent");
    echoes++;
    await writer.write(TEXT);
  }
}

async function stop(): Promise<void> {
  isStopping = true;
  for (const stream of streams) stream.close({ closeCode: 1000 });
  await Promise.allSettled(streams.map(({ closed }) => closed));
  process.disconnect?.();
}

function fail(error: unknown): void {
  // What is still under way when we close is given up.
  if (isStopping) return;
  report({ type: "failed", text: `A client failed: ${error}` });
  process.exitCode = 1;
}
