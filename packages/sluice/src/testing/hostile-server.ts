import { createHash } from "node:crypto";
import net from "node:net";
import tls from "node:tls";
import { toHostileTransport } from "./hostile-client.ts";
import { HostilePeer } from "./hostile-peer.ts";

/** How a hostile server answers. */
export interface HostileServerOptions {
  /**
   * Makes the response of a legal one: changes it, adds what may come behind, or makes another. Null sends nothing; what the
   * test then sends by itself is up to it. @defaultValue the legal response, which accepts no extension and no subprotocol
   *
   * @param legal a response that accepts the request
   * @param request the client's request, with its empty line
   */
  readonly respond?: ((legal: string, request: string) => string | Uint8Array | null) | undefined;
  /** Makes it a wss: server: what `tls.createServer` takes, a certificate and its key at least. */
  readonly tls?: tls.TlsOptions | undefined;
}

/**
 * Listens on 127.0.0.1 and makes a {@link HostilePeer} of each client, behind the handshake or in the middle of it.
 *
 * @example
 * ```ts
 * import { WebSocketStream } from "sluice";
 * import { HostileServer } from "sluice/testing";
 *
 * const server = await HostileServer.listen();
 * const stream = new WebSocketStream(server.url);
 * const peer = await server.accept();
 * peer.sendFrame({ opcode: 1, isMasked: true, payload: "a server must not mask" });
 * const error = await stream.closed.catch((reason) => reason);
 * console.log(error.cause.code); // "ERR_SLUICE_INVALID_MASK"
 * await server.close();
 * ```
 */
export class HostileServer {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #peers: HostilePeer[] = [];
  readonly #waiting: ((peer: HostilePeer) => void)[] = [];
  /** Where it listens, with the scheme ws:, or wss: over TLS. */
  readonly url: string;

  /** Starts a server on a free port. */
  static async listen(options: HostileServerOptions = {}): Promise<HostileServer> {
    const server = net.createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return new HostileServer(server, options);
  }

  private constructor(server: net.Server, options: HostileServerOptions) {
    const { respond = (legal) => legal } = options;
    this.#server = server;
    const scheme = options.tls === undefined ? "ws" : "wss";
    this.url = `${scheme}://127.0.0.1:${(server.address() as net.AddressInfo).port}/`;
    const secureContext = options.tls === undefined ? undefined : tls.createSecureContext(options.tls);
    server.on("connection", (raw) => {
      this.#sockets.add(raw);
      raw.once("close", () => this.#sockets.delete(raw));
      const socket =
        secureContext === undefined ? raw : new tls.TLSSocket(raw, { ...options.tls, secureContext, isServer: true });
      const peer = new HostilePeer(toHostileTransport(socket, raw), "server", { readsHead: true });
      const answer = (): void => {
        const response = respond(createResponse(peer.head), peer.head);
        if (response !== null) peer.send(response);
        this.#hand(peer);
      };
      // A client that left before its request was whole is nobody's peer.
      peer.until(() => peer.head !== "").then(answer, () => {});
    });
  }

  /** The next client, once its request was answered; in the order of the requests. */
  accept(): Promise<HostilePeer> {
    const peer = this.#peers.shift();
    if (peer !== undefined) return Promise.resolve(peer);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Stops listening and ends every connection. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #hand(peer: HostilePeer): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#peers.push(peer);
    else waiting(peer);
  }
}

function createResponse(request: string): string {
  const key = /^sec-websocket-key:[ \t]*(.*?)[ \t]*\r$/im.exec(request)?.[1] ?? "";
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${accept}`,
    "\r\n",
  ].join("\r\n");
}
