/** What ended a connection that the peer's bytes do not explain. It is the `cause` of the WebSocketError that users see. */
export class ConnectionError extends Error {
  /** Stable and machine-readable, e.g. `ERR_SLUICE_PEER_DEAD`. */
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.name = "ConnectionError";
    this.code = code;
  }
}
