import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Duplex } from "node:stream";
import { type ServerWebSocketStream, WebSocketStreamServer } from "sluice/server";
import { WebSocketServer } from "ws";
import { createCertificate } from "../support/certificate.ts";

/** What the page asks for about a connection that it opened with `?id=`. */
export interface Report {
  /** Payload bytes of writes that fulfilled. */
  accepted: number;
  received: number;
  messages: number;
  closed: { closeCode: number; reason: string } | { error: string } | null;
}

export interface TestServer {
  readonly httpUrl: string;
  readonly httpsUrl: string;
  close(): Promise<void>;
}

/**
 * Pages, this library's server below /sluice/, and a foreign one below /foreign/, over http: and https:.
 *
 * @param files path -> content, with its type
 */
export async function startServer(
  files: ReadonlyMap<string, { type: string; content: string | Uint8Array }>,
): Promise<TestServer> {
  const reports = new Map<string, Report>();
  const servers: Server[] = [];
  const sluice = new WebSocketStreamServer({
    noServer: true,
    protocols: (offered) => offered.find((name) => name === "chat" || name === "b"),
    onError: () => {},
  });
  const foreign = new WebSocketServer({ noServer: true, handleProtocols: () => false });
  const unoffered = new WebSocketServer({ noServer: true });
  unoffered.on("headers", (headers) => headers.push("Sec-WebSocket-Protocol: nobody-asked"));

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? "/", "http://host");
    if (url.pathname === "/report") {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(reports.get(url.searchParams.get("id") ?? "") ?? null));
      return;
    }
    const file = files.get(url.pathname);
    response.writeHead(file === undefined ? 404 : 200, { "content-type": file?.type ?? "text/plain" });
    response.end(file?.content ?? "Not found");
  };
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const url = new URL(request.url ?? "/", "http://host");
    const report: Report = { accepted: 0, received: 0, messages: 0, closed: null };
    reports.set(url.searchParams.get("id") ?? "", report);
    if (url.pathname.startsWith("/sluice/")) {
      sluice.handleUpgrade(request, socket, head).then(
        (stream) => {
          stream.closed.then(
            (closed) => {
              report.closed = closed;
            },
            (error) => {
              report.closed = { error: String(error) };
            },
          );
          behave(stream, url, report).catch(() => {});
        },
        () => {},
      );
    } else if (url.pathname === "/foreign/unoffered") {
      unoffered.handleUpgrade(request, socket, head, () => {});
    } else if (url.pathname.startsWith("/foreign/")) {
      foreign.handleUpgrade(request, socket, head, (peer) => behaveForeign(peer, url, report));
    } else if (url.pathname === "/silent") {
      socket.on("error", () => {});
    } else {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    }
  };
  const certificate = await createCertificate();
  for (const server of [createHttpServer(onRequest), createHttpsServer(certificate, onRequest)]) {
    server.on("upgrade", onUpgrade);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    servers.push(server);
  }
  const [http, https] = servers.map((server) => (server.address() as { port: number }).port);
  return {
    httpUrl: `http://127.0.0.1:${http}/`,
    httpsUrl: `https://localhost:${https}/`,
    async close() {
      await sluice.close();
      for (const server of [foreign, unoffered]) {
        for (const client of server.clients) client.terminate();
        server.close();
      }
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

function number(url: URL, name: string, fallback: number): number {
  return Number(url.searchParams.get(name) ?? fallback);
}

/** A message whose bytes tell its place, so that order and content are checked at once. */
export function createMessage(index: number, size: number): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(size).fill(index & 255);
  new DataView(message.buffer).setUint32(0, index);
  return message;
}

async function behave(stream: ServerWebSocketStream, url: URL, report: Report): Promise<void> {
  const { readable, writable } = await stream.opened;
  const count = (message: string | Uint8Array): void => {
    report.messages += 1;
    report.received += message.length;
  };
  switch (url.pathname) {
    case "/sluice/echo":
      await readable
        .pipeThrough(
          new TransformStream<string | Uint8Array<ArrayBuffer>, string | Uint8Array<ArrayBuffer>>({
            transform(message, controller) {
              count(message);
              controller.enqueue(message);
            },
          }),
        )
        .pipeTo(writable);
      return;
    case "/sluice/flood": {
      const writer = writable.getWriter();
      const size = number(url, "size", 16_384);
      for (let i = 0; i < number(url, "count", 1); i++) {
        await writer.write(createMessage(i, size));
        report.accepted += size;
      }
      if (url.searchParams.has("code")) {
        stream.close({ closeCode: number(url, "code", 1000), reason: url.searchParams.get("reason") ?? "" });
      } else if (!url.searchParams.has("keep")) await writer.close();
      return;
    }
    case "/sluice/sink":
      for await (const message of readable) count(message);
      return;
    case "/sluice/answer": {
      // Half-close: everything is read to the end of data before the first word is said.
      for await (const message of readable) count(message);
      const writer = writable.getWriter();
      await writer.write(`${report.messages} messages`);
      await writer.close();
      return;
    }
    default:
      // /sluice/stalled reads nothing and says nothing.
      return;
  }
}

function behaveForeign(peer: import("ws").WebSocket, url: URL, report: Report): void {
  peer.on("error", () => {});
  peer.on("close", (closeCode, reason) => {
    report.closed = { closeCode, reason: reason.toString() };
  });
  peer.on("message", (data: Buffer, isBinary) => {
    report.messages += 1;
    report.received += data.length;
    if (url.pathname === "/foreign/echo") peer.send(data, { binary: isBinary });
  });
  if (url.pathname === "/foreign/flood") {
    const size = number(url, "size", 16_384);
    for (let i = 0; i < number(url, "count", 1); i++) peer.send(createMessage(i, size));
    if (!url.searchParams.has("keep")) peer.close(number(url, "code", 1000), "done");
  }
  if (url.pathname === "/foreign/stalled") peer.pause();
}
