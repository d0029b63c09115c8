/** What is known about a failed opening handshake, besides its text. */
export interface HandshakeErrorDetails {
  code: HandshakeErrorCode;
  section?: string | undefined;
  statusCode?: number | undefined;
  headers?: Headers | undefined;
  body?: string | undefined;
  limit?: string | undefined;
  cause?: unknown;
}

/** Stable names of the ways in which a client's opening handshake fails. */
export type HandshakeErrorCode =
  | "ERR_SLUICE_BAD_PORT"
  | "ERR_SLUICE_CONNECT_FAILED"
  | "ERR_SLUICE_TLS_FAILED"
  | "ERR_SLUICE_HANDSHAKE_TIMEOUT"
  | "ERR_SLUICE_HANDSHAKE_CUT"
  | "ERR_SLUICE_HANDSHAKE_SYNTAX"
  | "ERR_SLUICE_HANDSHAKE_STATUS"
  | "ERR_SLUICE_HANDSHAKE_VERSION"
  | "ERR_SLUICE_HANDSHAKE_UPGRADE"
  | "ERR_SLUICE_HANDSHAKE_CONNECTION"
  | "ERR_SLUICE_HANDSHAKE_ACCEPT"
  | "ERR_SLUICE_HANDSHAKE_EXTENSIONS"
  | "ERR_SLUICE_HANDSHAKE_PROTOCOL";

/** Why a client could not open its connection. The `cause` of the WebSocketError that the user sees on Node (D-03). */
export class HandshakeError extends Error {
  readonly code: HandshakeErrorCode;
  /** The clause that the server broke, e.g. `RFC 6455 §4.1`, or null. */
  readonly section: string | null;
  /** Status of the response, or null if none came. */
  readonly statusCode: number | null;
  /** Fields of the response, or null if none came. */
  readonly headers: Headers | null;
  /** At most the first 4 KiB of the response's body, or null if there was none. */
  readonly body: string | null;
  /** The limit that was reached, by the name of its option, e.g. `handshakeTimeoutMs`; null if none was. */
  readonly limit: string | null;

  constructor(message: string, details: HandshakeErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "HandshakeError";
    this.code = details.code;
    this.section = details.section ?? null;
    this.statusCode = details.statusCode ?? null;
    this.headers = details.headers ?? null;
    this.body = details.body ?? null;
    this.limit = details.limit ?? null;
  }
}

/** Why a server does not accept a client's request, and the HTTP answer that says so. */
export class HandshakeRefusal extends Error {
  /** 400, 405 or 426. */
  readonly statusCode: number;
  /** Fields that the answer must carry. */
  readonly headers: Readonly<Record<string, string>>;
  /** The clause that the client broke. */
  readonly section: string;

  constructor(message: string, details: { statusCode: number; section: string; headers?: Record<string, string> }) {
    super(message);
    this.name = "HandshakeRefusal";
    this.statusCode = details.statusCode;
    this.section = details.section;
    this.headers = details.headers ?? {};
  }
}
