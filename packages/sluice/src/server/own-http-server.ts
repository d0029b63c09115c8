import { constants } from "node:crypto";
import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import type { Duplex } from "node:stream";
import type { Tally } from "./metrics-tally.ts";
import type { OwnPortOptions } from "./options.ts";
import { type RefusalSender, refuse } from "./refusal.ts";
import { DEFAULT_SERVER_LIMITS, MAX_LINGERING_REFUSALS } from "./server-limits.ts";
import { getPath } from "./upgrade-router.ts";

/**
 * The HTTP server behind a port of our own: no path of it lets an error or an idle client through.
 *
 * @param tally told of each socket that was dropped unanswered, and of each TLS handshake that failed
 */
export function createOwnHttpServer(
  options: OwnPortOptions,
  refusals: RefusalSender,
  tally: Pick<Tally, "countDroppedSocket" | "countFailedTlsHandshake">,
): HttpServer | HttpsServer {
  const limits = DEFAULT_SERVER_LIMITS;
  const timeoutMs = options.handshakeTimeoutMs ?? limits.handshakeTimeoutMs;
  // Node takes an integer, and 0 for none.
  const headTimeoutMs = Number.isFinite(timeoutMs) ? Math.ceil(timeoutMs) : 0;
  const httpOptions = {
    maxHeaderSize: options.maxHeaderBytes ?? limits.maxHeaderBytes,
    headersTimeout: headTimeoutMs,
    requestTimeout: headTimeoutMs,
    // How late a timeout may be noticed; Node's own is 30 seconds.
    connectionsCheckingInterval: Math.max(50, Math.min(1000, Math.ceil((headTimeoutMs || 4000) / 4))),
  };
  const answer = createPlainAnswer(options.path);
  const server =
    options.tls === undefined
      ? createHttpServer(httpOptions, answer)
      : createHttpsServer(
          {
            handshakeTimeout: headTimeoutMs || 120_000,
            ...options.tls,
            // Each asks much of us and nothing of the client, and WebSockets have no use for it. Gone since TLS 1.3.
            secureOptions: (options.tls.secureOptions ?? 0) | constants.SSL_OP_NO_RENEGOTIATION,
            ...httpOptions,
          },
          answer,
        );
  // Node leaves out the fields above its own limit, and says nothing: a repeated one could hide there. Ours refuses.
  server.maxHeadersCount = 0;
  // Sockets that have sent no request yet count against no other limit; beyond this they are dropped by the system.
  server.maxConnections =
    (options.maxConnections ?? limits.maxConnections) +
    (options.maxPendingHandshakes ?? limits.maxPendingHandshakes) +
    MAX_LINGERING_REFUSALS;
  server.on("drop", () => tally.countDroppedSocket());
  server.on("tlsClientError", () => tally.countFailedTlsHandshake());
  // Node would end the connection without a word.
  server.on("connect", (_, socket: Duplex) => refusals.send(socket, refuse(405, ONLY_GET, [["Allow", "GET"]]).refusal));
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => answerBadRequest(error, socket, refusals));
  return server;
}

const ONLY_GET = "The method must be GET";

/** RFC 9110 §15.5.22: a server that only speaks another protocol answers 426 and names it. */
function createPlainAnswer(path: string | undefined): RequestListener {
  return (request, response) => {
    const isServed = path === undefined || getPath(request) === path;
    const text = isServed
      ? "This is a WebSocket server: connect with a WebSocket client (ws: or wss:), not with plain HTTP.\n"
      : "There is nothing at this path.\n";
    const upgradeFields = { Upgrade: "websocket", "Sec-WebSocket-Version": "13", Connection: "Upgrade, close" };
    response.writeHead(isServed ? 426 : 404, {
      "Content-Type": "text/plain; charset=utf-8",
      "Content-Length": Buffer.byteLength(text),
      ...(isServed ? upgradeFields : { Connection: "close" }),
    });
    response.end(text);
  };
}

/** Only what the HTTP parser found is worth an answer; the rest is a connection that is broken already, or no HTTP at all. */
function answerBadRequest(error: NodeJS.ErrnoException, socket: Duplex, refusals: RefusalSender): void {
  const status = getBadRequestStatus(error.code ?? "");
  if (status === null || !socket.writable) socket.destroy();
  else refusals.send(socket, refuse(status.code, status.text).refusal);
}

function getBadRequestStatus(errorCode: string): { code: number; text: string } | null {
  if (errorCode === "ERR_HTTP_REQUEST_TIMEOUT")
    return { code: 408, text: "The request did not arrive in time (handshakeTimeoutMs)" };
  if (errorCode === "HPE_HEADER_OVERFLOW") return { code: 431, text: "The request head is too large (maxHeaderBytes)" };
  if (errorCode.startsWith("HPE_")) return { code: 400, text: "This is not a well-formed HTTP/1.1 request" };
  return null;
}
