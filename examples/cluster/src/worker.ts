// One of the processes that serve. Its HTTP server is its own: under node:cluster `listen()` asks the first process for the
// connections, with reusePort it asks the system.
import { createServer } from "node:http";
import type { AddressInfo, ListenOptions } from "node:net";
import { serve } from "sluice/server";
import { type Command, getUsage, report, type WorkerSettings } from "./messages.ts";

/** The Close frames are spread over this, so that the clients do not all come back in the same moment. */
const SPREAD_MS = 1000;
/** A client that has not answered by then is cut off. */
const DEADLINE_MS = 5000;
const SERVICE_RESTART = 1012;

const { id, host, port, reusePort } = JSON.parse(process.argv[2]) as WorkerSettings;

const http = createServer((_, response) => response.writeHead(404).end("There is a WebSocket at /echo\n"));
const server = await serve({ server: http, path: "/echo" }, async (stream) => {
  const { readable, writable } = await stream.opened;
  const writer = writable.getWriter();
  await writer.write(`worker ${id}`);
  writer.releaseLock();
  await readable.pipeTo(writable);
});

let isStopping = false;
async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  // First of all: from now on new clients go to the workers that are left.
  const isClosed = new Promise<void>((resolve) => http.close(() => resolve()));
  await server.drain({ closeCode: SERVICE_RESTART, spreadMs: SPREAD_MS, deadlineMs: DEADLINE_MS });
  await server.close();
  http.closeAllConnections();
  await isClosed;
  if (process.connected) process.disconnect();
}

// Ctrl-C in a terminal reaches every process of the program, and the first one tells us what to do.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => void stop());
// The first process is gone: nobody would end us.
process.once("disconnect", () => void stop());

// The type is that of Node 20, which has no reusePort.
const listenOptions: ListenOptions & { reusePort: boolean } = { host, port, reusePort };
http.once("error", (error) => {
  report({ type: "failed", text: `Cannot listen on ${host}:${port}: ${error.message}` });
  process.exitCode = 1;
  process.disconnect?.();
});
http.listen(listenOptions, () => {
  process.on("message", ({ type }: Command) => {
    if (type === "stop") void stop();
    if (type === "usage") report({ type: "usage", usage: getUsage(0, [server.connectionCount]) });
  });
  report({ type: "ready", port: (http.address() as AddressInfo).port });
});
