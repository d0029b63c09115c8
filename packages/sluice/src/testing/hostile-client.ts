import net from "node:net";
import tls from "node:tls";
import { DuplexTransport } from "../node/duplex-transport.ts";
import { HostilePeer, type HostileTransport } from "./hostile-peer.ts";

/** What a hostile client sends before its frames. */
export interface HostileClientOptions {
  /**
   * Makes the request of a legal one: changes it, adds what may come behind, or makes another. Null sends nothing; what the
   * test then sends by itself is up to it. @defaultValue the legal request; it offers no extension and no subprotocol
   */
  readonly request?: ((legal: string) => string | Uint8Array | null) | undefined;
  /** For `tls.connect`, with the scheme wss:. @defaultValue certificates are verified */
  readonly tls?: tls.ConnectionOptions | undefined;
}

/**
 * Connects as a hostile client, over TCP or TLS. Fulfils when a response has come, whatever it says (see `statusCode` and `head`), or
 * as soon as the connection is there if no request is sent.
 *
 * @param url with the scheme ws: or wss:
 * @throws {Error} if nobody listens, TLS fails, or the connection ends before there is a response
 * @example
 * ```ts
 * import { serve } from "sluice/server";
 * import { connectHostile } from "sluice/testing";
 *
 * await using server = await serve({ port: 0, host: "127.0.0.1" }, () => {});
 * const peer = await connectHostile((await server.listening).url, {
 *   request: (legal) => legal.replace("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 7"),
 * });
 * console.log(peer.statusCode); // 426
 * peer.destroy();
 * ```
 */
export async function connectHostile(url: string | URL, options: HostileClientOptions = {}): Promise<HostilePeer> {
  const { protocol, hostname, port, host, pathname, search } = new URL(url);
  const name = hostname.replace(/^\[|\]$/g, "");
  const isTls = protocol === "wss:";
  const raw = net.connect({ host: name, port: Number(port || (isTls ? 443 : 80)), allowHalfOpen: true });
  const servername = net.isIP(name) === 0 ? name : "";
  const socket = isTls ? tls.connect({ servername, host: name, ...options.tls, socket: raw }) : raw;
  await new Promise<void>((resolve, reject) => {
    socket.once(isTls ? "secureConnect" : "connect", () => {
      socket.off("error", reject);
      resolve();
    });
    socket.once("error", reject);
  });
  const peer = new HostilePeer(toHostileTransport(socket, raw), "client", { readsHead: true });
  const legal = createRequest(`${pathname}${search}`, host);
  const request = options.request === undefined ? legal : options.request(legal);
  if (request === null) return peer;
  peer.send(request);
  await peer.until(() => peer.head !== "" || peer.hasEnded);
  if (peer.head === "") {
    peer.destroy();
    throw new Error("The connection ended before there was a response");
  }
  return peer;
}

/** @internal @param raw the TCP socket below `socket`, or itself */
export function toHostileTransport(socket: net.Socket, raw: net.Socket): HostileTransport {
  const transport: HostileTransport = new DuplexTransport(socket, { readsStatically: false });
  transport.reset = () => {
    raw.resetAndDestroy();
    socket.destroy();
  };
  return transport;
}

/** The key is that of RFC 6455 §1.3. */
function createRequest(target: string, host: string): string {
  return [
    `GET ${target} HTTP/1.1`,
    `Host: ${host}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "\r\n",
  ].join("\r\n");
}
