/** What ended a connection that the peer's bytes do not explain. It is the `cause` of the WebSocketError that users see. */
export class ConnectionError extends Error {
  /** Stable and machine-readable, e.g. `ERR_SLUICE_PEER_DEAD`. */
  readonly code: string;
  /** The limit that was reached, by the name of its option, e.g. `keepAlive.timeoutMs`; null if none was. */
  readonly limit: string | null;

  constructor(message: string, code: string, limit: string | null = null) {
    super(message);
    this.name = "ConnectionError";
    this.code = code;
    this.limit = limit;
  }
}
