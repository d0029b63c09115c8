/**
 * A page that reads slowly. The same source sends to it twice: over WebSocketStream with flow control, and over the
 * browser's plain WebSocket. `node dist/main.js`, then open the address that it prints.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { createFeedServer, setReadingSpeed, statsOf } from "./feed.ts";

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
};

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost");
  const id = url.searchParams.get("id") ?? "";
  if (url.pathname === "/stats") {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(statsOf(id)));
    return;
  }
  if (url.pathname === "/speed" && request.method === "POST") {
    setReadingSpeed(id, Number(url.searchParams.get("value")));
    response.writeHead(204).end();
    return;
  }
  const name = url.pathname === "/" ? "index.html" : url.pathname.slice(1);
  const isKnown = /^[a-z-]+\.(html|js|css)$/.test(name);
  const content = isKnown ? await readFile(new URL(`page/${name}`, import.meta.url)).catch(() => null) : null;
  if (content === null) response.writeHead(404).end("Not found");
  else response.writeHead(200, { "content-type": types[extname(name)] }).end(content);
});

createFeedServer(server);
server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  const { port } = server.address() as { port: number };
  console.log(`Open http://127.0.0.1:${port}/`);
});
