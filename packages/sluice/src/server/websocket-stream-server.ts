import type { Server as HttpServer, IncomingMessage } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Duplex } from "node:stream";
import { realClock } from "../node/real-clock.ts";
import { CloseCode } from "../protocol/close-code.ts";
import { validateServerCloseCodeAndReason } from "../streams/close-info.ts";
import { Settlement } from "../streams/settlement.ts";
import { closeValidated } from "../streams/websocket-stream.ts";
import { AcceptQueue } from "./accept-queue.ts";
import { CLOSE_DEADLINE_MS, type DrainOptions, resolveDrainOptions } from "./drain.ts";
import { isThenable } from "./is-thenable.ts";
import { type ListeningInfo, listen, whenListening } from "./listening.ts";
import type { ServerMetrics } from "./metrics.ts";
import { Tally } from "./metrics-tally.ts";
import { type ServerOptions, validateServerOptions } from "./options.ts";
import { createOwnHttpServer } from "./own-http-server.ts";
import { createErrorReporter, isOrdinaryEnd, type ReportError } from "./report-error.ts";
import { DEFAULT_SERVER_LIMITS } from "./server-limits.ts";
import type { ServerWebSocketStream } from "./server-websocket-stream.ts";
import { Upgrader } from "./upgrade.ts";
import { addUpgradeRoute } from "./upgrade-router.ts";

/** What {@link serve} is given: takes care of one connection. */
export type ConnectionHandler = (stream: ServerWebSocketStream) => Promise<void> | void;

/** Gives every connection to a handler instead of `connections`. To be called before the first one. */
export let setConnectionHandler: (server: WebSocketStreamServer, handler: ConnectionHandler) => void;

/**
 * A WebSocket server whose connections come out of a stream: accepting, too, goes at the pace of its reader.
 *
 * @example
 * ```ts
 * import { WebSocketStreamServer } from "sluice/server";
 *
 * await using server = new WebSocketStreamServer({ port: 0, host: "127.0.0.1" });
 * console.log(`Listening on ${(await server.listening).url}`);
 * for await (const stream of server.connections) {
 *   const { readable, writable } = await stream.opened;
 *   readable.pipeTo(writable).catch(() => {}); // echo; fails when the peer goes away
 * }
 * ```
 */
export class WebSocketStreamServer {
  readonly #reportError: ReportError;
  readonly #upgrader: Upgrader;
  readonly #queue: AcceptQueue<ServerWebSocketStream>;
  readonly #listening: Settlement<ListeningInfo> = new Settlement();
  /** Ours to close; null if somebody else owns it, or there is none. */
  readonly #ownServer: HttpServer | HttpsServer | null = null;
  readonly #removeRoute: () => void = () => {};
  #handler: ConnectionHandler | null = null;
  #closing: Promise<void> | null = null;

  /**
   * @param options one of three forms: `{ port, host?, path?, tls? }`, `{ server, path? }`, `{ noServer: true }`
   * @throws {TypeError | RangeError} if an option cannot be meant
   * @throws {Error} if another server serves this path of `options.server`
   */
  constructor(options: ServerOptions) {
    validateServerOptions(options);
    this.#reportError = createErrorReporter(options.onError);
    const tally = new Tally(this);
    this.#upgrader = new Upgrader(options, realClock, tally, (error) => this.#reportError(error, null));
    const highWaterMark = options.connectionsHighWaterMark ?? DEFAULT_SERVER_LIMITS.connectionsHighWaterMark;
    this.#queue = new AcceptQueue(highWaterMark, (unread) => this.#stopAccepting(unread));
    if (options.noServer === true) {
      this.#listening.reject(new Error("Cannot tell where the server listens as it was made with noServer"));
      return;
    }
    const ownServer =
      options.server === undefined ? createOwnHttpServer(options, this.#upgrader.refusals, tally) : null;
    this.#ownServer = ownServer;
    const httpServer = ownServer ?? (options.server as HttpServer | HttpsServer);
    this.#removeRoute = addUpgradeRoute(httpServer, {
      path: options.path,
      onUpgrade: (request, socket, head) => this.#onUpgrade(request, socket, head),
      onUnserved: (socket, refusal) => this.#upgrader.refusals.send(socket, refusal.refusal),
    });
    const listening =
      options.server === undefined
        ? listen(httpServer, options, (error) => this.#reportError(error, null))
        : whenListening(httpServer, options.path);
    listening.then(
      (info) => this.#listening.resolve(info),
      (error: unknown) => {
        this.#listening.reject(error);
        if (ownServer !== null) this.#queue.error(error);
      },
    );
  }

  /**
   * Fulfils when connections can come. Rejects if the port cannot be taken, with a `code` such as EADDRINUSE (then
   * `connections` is broken with the same error), and with `noServer`. Marked as handled.
   */
  get listening(): Promise<ListeningInfo> {
    return this.#listening.promise;
  }

  /**
   * Open connections, in order. While nobody reads, at most `connectionsHighWaterMark` handshakes are completed; further
   * clients wait unanswered, and after `handshakeTimeoutMs` get 503 with Retry-After. Ends after `drain()` or `close()`.
   * Cancelling it, e.g. by `break` out of `for await`, stops accepting: unread connections are closed with 1013, new ones
   * get 503, those taken live on.
   */
  get connections(): ReadableStream<ServerWebSocketStream> {
    return this.#queue.readable;
  }

  /** How many connections are open, the closing ones included. */
  get connectionCount(): number {
    return this.#upgrader.connections.size;
  }

  /**
   * Counters since the server was made and its state at this moment; see docs/observability.md. Looks at every open
   * connection, about 1 µs each: call it as often as somebody scrapes, not as often as messages come. An extension.
   */
  metrics(): ServerMetrics {
    return this.#upgrader.metrics();
  }

  /**
   * Takes over a request of an HTTP server's `upgrade` event, with all checks but that of the path. The connection goes
   * to the caller, not to `connections`.
   *
   * The promise rejects when the client was refused or went away; the client has its answer then. It is marked as handled,
   * but one that you derive from it is not: an asynchronous listener that awaits it must catch, or a bad request ends the
   * process. With `serve({ noServer: true }, handler)` there is nothing to await, since the handler gets the connection.
   *
   * @throws {UpgradeRefusedError | HandshakeLostError} as a rejection
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): Promise<ServerWebSocketStream> {
    const stream = this.#upgrader.upgrade(request, socket, head, null);
    stream.then(
      (opened) => this.#handle(opened),
      () => {}, // told to the client and to the caller
    );
    return stream;
  }

  /**
   * Empties the server: refuses what comes with 503 and Retry-After, sends Close frames spread over time, waits until the
   * deadline, cuts off the rest. Goes on listening so that it can refuse; `close()` ends that.
   *
   * @throws {TypeError | RangeError | DOMException} as a rejection, if an option is out of its range
   */
  async drain(options: DrainOptions = {}): Promise<void> {
    const resolved = resolveDrainOptions(options);
    validateServerCloseCodeAndReason(resolved.closeCode, resolved.reason);
    this.#upgrader.refuseAll();
    this.#queue.close();
    await this.#upgrader.connections.drain(resolved);
  }

  /** Stops listening, closes all connections with 1001, and cuts off what is left after a second. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const ownServerClosed = this.#stopListening();
    await Promise.all([
      this.drain({ closeCode: CloseCode.GOING_AWAY, deadlineMs: CLOSE_DEADLINE_MS, spreadMs: 0 }),
      this.#upgrader.refusals.finish(CLOSE_DEADLINE_MS),
    ]);
    this.#removeRoute();
    // Clients that have sent no complete request, or do not read their answer.
    this.#ownServer?.closeAllConnections();
    await ownServerClosed;
  }

  async #stopListening(): Promise<void> {
    const server = this.#ownServer;
    if (server === null) {
      this.#removeRoute();
      return;
    }
    // A server whose host name is still being looked up cannot be closed, and would listen afterwards.
    await this.listening.catch(() => {});
    if (!server.listening) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    const queue = this.#handler === null ? this.#queue : null;
    this.#upgrader.upgrade(request, socket, head, queue).then(
      (stream) => this.#handle(stream),
      () => {}, // the client has its answer, and what was our fault is reported
    );
  }

  /** Not asynchronous itself: it would wait, and take memory, for as long as the connection lives. */
  #handle(stream: ServerWebSocketStream): void {
    if (this.#handler === null) return;
    try {
      const result: unknown = this.#handler(stream);
      if (!isThenable(result)) return;
      Promise.resolve(result).then(undefined, (error: unknown) => this.#onHandlerFailed(error, stream));
    } catch (error) {
      void this.#onHandlerFailed(error, stream);
    }
  }

  async #onHandlerFailed(error: unknown, stream: ServerWebSocketStream): Promise<void> {
    closeValidated(stream, CloseCode.INTERNAL_ERROR, "");
    if (await isOrdinaryEnd(error, stream, this.#upgrader.connections.isDrained(stream))) return;
    this.#reportError(error, stream);
  }

  #stopAccepting(unread: readonly ServerWebSocketStream[]): void {
    this.#upgrader.refuseAll();
    for (const stream of unread) closeValidated(stream, CloseCode.TRY_AGAIN_LATER, "");
  }

  static {
    setConnectionHandler = (server, handler) => {
      server.#handler = handler;
    };
    Object.defineProperty(WebSocketStreamServer.prototype, Symbol.toStringTag, {
      value: "WebSocketStreamServer",
      configurable: true,
    });
  }
}
