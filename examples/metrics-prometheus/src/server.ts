import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { collectDefaultMetrics, Registry } from "prom-client";
import { serve } from "sluice/server";
import { UserError } from "./options.ts";
import { SluiceMetrics } from "./sluice-metrics.ts";

/** The running program. */
export interface RunningServer {
  readonly port: number;
  /** Tells every client that it goes, waits for their answers, and ends what has not answered after five seconds. */
  close(): Promise<void>;
}

/**
 * Starts one HTTP server with a WebSocket under /echo and a page under /metrics.
 *
 * @throws {UserError} if it cannot listen there
 */
export async function startServer(options: { host: string; port: number }): Promise<RunningServer> {
  const registry = new Registry();
  const http = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/metrics" && request.method === "GET") {
      answerWithMetrics(response).catch((error: unknown) => answer(response, 500, "text/plain", `${error}\n`));
    } else answer(response, 404, "text/plain", "There is a page at /metrics and a WebSocket at /echo\n");
  });
  const server = await serve({ server: http, path: "/echo", memoryBudgetBytes: 64 * 1_048_576 }, async (stream) => {
    const { readable, writable } = await stream.opened;
    await readable.pipeTo(writable);
  });
  const metrics = new SluiceMetrics(server, registry);
  // The process itself: memory, processor time, the delay of the event loop.
  collectDefaultMetrics({ register: registry });

  async function answerWithMetrics(response: ServerResponse): Promise<void> {
    metrics.update();
    answer(response, 200, registry.contentType, await registry.metrics());
  }

  await listen(http, options);
  return {
    port: (http.address() as AddressInfo).port,
    async close() {
      // New clients are refused meanwhile, and the page still answers.
      await server.drain({ deadlineMs: 5_000 });
      await server.close();
      metrics.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function answer(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(text) });
  response.end(text);
}

function listen(http: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once("error", (error: NodeJS.ErrnoException) => {
      const where = `${host}:${port}`;
      if (error.code === "EADDRINUSE") {
        reject(new UserError(`Another program listens on ${where}. Choose another --port, or 0 for any.`));
      } else reject(new UserError(`Cannot listen on ${where}: ${error.message}`));
    });
    http.listen(port, host, () => resolve());
  });
}
