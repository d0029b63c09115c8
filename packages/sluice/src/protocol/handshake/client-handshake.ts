import type { PerMessageDeflateParameters } from "../permessage-deflate/negotiate.ts";
import { acceptResponse } from "../permessage-deflate/negotiate.ts";
import type { HandshakeErrorCode } from "./handshake-error.ts";
import { HandshakeError } from "./handshake-error.ts";
import type { RawHeaders } from "./http-fields.ts";
import { fieldValues, hasListElement } from "./http-fields.ts";

/** What the client's request offered. */
export interface HandshakeOffer {
  /** Subprotocols in order of preference. */
  readonly protocols: readonly string[];
  /** The value of `Sec-WebSocket-Extensions`, or `""` if there was none. */
  readonly extensions: string;
  /** The value of `Sec-WebSocket-Key`. */
  readonly key: string;
}

/** The head of a response, as read from the wire. */
export interface HandshakeResponse {
  readonly statusCode: number;
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  readonly rawHeaders: RawHeaders;
}

/** What client and server agreed upon. */
export interface HandshakeResult {
  /** The subprotocol, or `""`. */
  readonly protocol: string;
  /** `Sec-WebSocket-Extensions` as received, several fields joined by `", "`; or `""`. */
  readonly extensions: string;
  readonly deflate: PerMessageDeflateParameters | null;
}

/** The value of `Sec-WebSocket-Version` that RFC 6455 §4.1 (9) demands. */
export const WEBSOCKET_VERSION = "13";

/**
 * Checks a server's response (RFC 6455 §4.1, H11-H16).
 *
 * @param expectedAccept what `Sec-WebSocket-Accept` must be
 * @throws {HandshakeError} if the connection must not be opened
 */
export function validateServerResponse(
  response: HandshakeResponse,
  offer: HandshakeOffer,
  expectedAccept: string,
): HandshakeResult {
  const { statusCode, httpVersionMajor, httpVersionMinor, rawHeaders } = response;
  // RFC 6455 §4.1: "If the status code received from the server is not 101, the client handles the response per HTTP".
  if (statusCode !== 101) {
    fail(
      "ERR_SLUICE_HANDSHAKE_STATUS",
      `server answered with status ${statusCode} instead of 101${advice(statusCode)}`,
    );
  }
  if (httpVersionMajor !== 1 || httpVersionMinor < 1) {
    fail("ERR_SLUICE_HANDSHAKE_VERSION", `server answered in HTTP/${httpVersionMajor}.${httpVersionMinor}`);
  }
  const upgrade = fieldValues(rawHeaders, "upgrade");
  if (upgrade.length !== 1 || (upgrade[0] as string).toLowerCase() !== "websocket") {
    fail("ERR_SLUICE_HANDSHAKE_UPGRADE", `Upgrade must be "websocket" once: current value is ${quote(upgrade)}`);
  }
  const connection = fieldValues(rawHeaders, "connection");
  if (!hasListElement(connection, "upgrade")) {
    fail("ERR_SLUICE_HANDSHAKE_CONNECTION", `Connection must contain "upgrade": current value is ${quote(connection)}`);
  }
  const accept = fieldValues(rawHeaders, "sec-websocket-accept");
  if (accept.length !== 1 || accept[0] !== expectedAccept) {
    fail("ERR_SLUICE_HANDSHAKE_ACCEPT", `Sec-WebSocket-Accept does not fit the request: value is ${quote(accept)}`);
  }
  const extensions = fieldValues(rawHeaders, "sec-websocket-extensions");
  return {
    extensions: extensions.join(", "),
    deflate: extensions.length === 0 ? null : acceptResponse(extensions.join(", "), offer.extensions),
    protocol: selectedProtocol(fieldValues(rawHeaders, "sec-websocket-protocol"), offer.protocols),
  };
}

/** H16. Without a choice the connection fails too, if there was an offer (WHATWG; RFC 6455 would go on). */
function selectedProtocol(values: readonly string[], offered: readonly string[]): string {
  const code = "ERR_SLUICE_HANDSHAKE_PROTOCOL";
  if (values.length === 0) {
    if (offered.length > 0) fail(code, `server selected none of the offered subprotocols: ${offered.join(", ")}`);
    return "";
  }
  const protocol = values[0] as string;
  if (values.length > 1) fail(code, `Sec-WebSocket-Protocol must appear once: current value is ${quote(values)}`);
  // RFC 6455 §4.1 (6): "MUST _Fail the WebSocket Connection_"; case matters.
  if (!offered.includes(protocol)) fail(code, `server selected a subprotocol that was not offered: ${quote(values)}`);
  return protocol;
}

/** H11: neither redirects nor requests for credentials are answered (WHATWG: redirect mode "error"). */
function advice(statusCode: number): string {
  if (statusCode >= 300 && statusCode < 400) return " (redirects are not followed)";
  return statusCode === 401 ? " (the request is not repeated with credentials)" : "";
}

function fail(code: HandshakeErrorCode, what: string): never {
  throw new HandshakeError(`Cannot open WebSocket as ${what}`, { code, section: "RFC 6455 §4.1" });
}

function quote(values: readonly string[]): string {
  if (values.length === 0) return "missing";
  const text = JSON.stringify(values.join(", "));
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
}
