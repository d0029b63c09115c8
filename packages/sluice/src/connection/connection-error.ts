/** What ended a connection that the peer's bytes do not explain. It is the `cause` of the WebSocketError that users see. */
export class ConnectionError extends Error {
  /** Stable and machine-readable, e.g. `ERR_SLUICE_PEER_DEAD`. */
  readonly code: string;
  /** The limit that was reached, by the name of its option, e.g. `keepAlive.timeoutMs`; null if none was. */
  readonly limit: string | null;

  constructor(message: string, code: string, details: { limit?: string | undefined; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "ConnectionError";
    this.code = code;
    this.limit = details.limit ?? null;
  }
}

/** `close()` during the opening handshake. */
export function createClosedWhileConnectingError(): ConnectionError {
  const text = "The connection was closed before it was established";
  return new ConnectionError(text, "ERR_SLUICE_CLOSED_WHILE_CONNECTING");
}

/** The peer was waited for long enough. */
export function createCloseTimeoutError(closeTimeoutMs: number): ConnectionError {
  const text = `no progress of the closing handshake for ${closeTimeoutMs} ms (closeTimeoutMs)`;
  const limit = "closeTimeoutMs";
  return new ConnectionError(`The connection was cut off: ${text}`, "ERR_SLUICE_CLOSE_TIMEOUT", { limit });
}
