import type { IncomingMessage } from "node:http";
import { toCloseInfo, validateServerCloseCodeAndReason, type WebSocketCloseInfo } from "../streams/close-info.ts";
import type { Established } from "../streams/established.ts";
import { closeValidated, WebSocketStream } from "../streams/websocket-stream.ts";
import type { ServedConnection } from "./served-connection.ts";

/** The server's records of a stream; null for a stream that is not a server's. */
export let getServed: (stream: WebSocketStream) => ServedConnection | null;

/**
 * The server's end of a connection: a {@link WebSocketStream} whose `opened` has fulfilled already.
 *
 * Its `close()` also takes the codes with which a service explains itself: 1001 going away, 1003 unsupported data, 1007
 * invalid data, 1008 policy violation, 1009 too big, 1011 internal error, 1012 restart, 1013 try again later, 1014 bad
 * gateway.
 */
export class ServerWebSocketStream extends WebSocketStream {
  readonly #request: IncomingMessage;
  readonly #remoteAddress: string;
  readonly #served: ServedConnection | null;

  /** @internal Servers make these. */
  constructor(established: Established, request: IncomingMessage, served: ServedConnection | null = null) {
    super(established as unknown as string);
    this.#request = request;
    this.#remoteAddress = established.connection.remoteAddress;
    this.#served = served;
  }

  /** The request that opened the connection: its headers, cookies, URL. */
  get request(): IncomingMessage {
    return this.#request;
  }

  /** The peer's address as the socket has it (behind a proxy that of the proxy), or `""`. */
  get remoteAddress(): string {
    return this.#remoteAddress;
  }

  /**
   * Starts the closing handshake, as in the base class, with the codes of a server.
   *
   * @throws {TypeError} if `closeCode` is not an integer from 0 to 65535
   * @throws {DOMException} InvalidAccessError if the code may not be sent; SyntaxError if the reason is longer than 123 bytes
   */
  override close(closeInfo: WebSocketCloseInfo = {}): void {
    this.#request; // brand check before conversion (Web IDL)
    const { closeCode, reason } = toCloseInfo(closeInfo);
    validateServerCloseCodeAndReason(closeCode, reason);
    closeValidated(this, closeCode, reason);
  }

  static {
    getServed = (stream) => (#served in stream ? stream.#served : null);
    for (const name of ["request", "remoteAddress", "close"]) {
      Object.defineProperty(ServerWebSocketStream.prototype, name, { enumerable: true });
    }
    const value = "ServerWebSocketStream";
    Object.defineProperty(ServerWebSocketStream.prototype, Symbol.toStringTag, { value, configurable: true });
  }
}
