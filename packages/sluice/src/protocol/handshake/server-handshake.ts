import { WEBSOCKET_VERSION } from "./client-handshake.ts";
import { HandshakeRefusal } from "./handshake-error.ts";
import type { RawHeaders } from "./http-fields.ts";
import { fieldValues, hasListElement, parseExtensionList, parseTokenList } from "./http-fields.ts";

/** The head of a request, as read from the wire. */
export interface HandshakeRequest {
  readonly method: string;
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  readonly rawHeaders: RawHeaders;
}

/** What a valid request asks for. */
export interface ClientOffer {
  readonly key: string;
  /** Offered subprotocols in the client's order; empty if there was no such field. */
  readonly protocols: string[];
  /** `Sec-WebSocket-Extensions`, several fields joined by `", "`; syntactically valid, or `""` if there was none. */
  readonly extensionsOffer: string;
}

/**
 * Checks a client's request (RFC 6455 §4.2.1: H18-H22, H25, H27).
 *
 * @throws {HandshakeRefusal} with the status and the fields to answer with
 */
export function validateClientRequest(request: HandshakeRequest): ClientOffer {
  const { method, httpVersionMajor, httpVersionMinor, rawHeaders } = request;
  if (method !== "GET") refuse("The method must be GET", 405, { Allow: "GET" });
  if (httpVersionMajor !== 1 || httpVersionMinor < 1) refuse("The request must be HTTP/1.1");
  if (fieldValues(rawHeaders, "host").length !== 1) refuse("Host must appear once");
  if (!hasListElement(fieldValues(rawHeaders, "upgrade"), "websocket")) refuse('Upgrade must contain "websocket"');
  if (!hasListElement(fieldValues(rawHeaders, "connection"), "upgrade")) refuse('Connection must contain "Upgrade"');
  const version = fieldValues(rawHeaders, "sec-websocket-version");
  if (version.length !== 1 || version[0] !== WEBSOCKET_VERSION) {
    // RFC 6455 §4.4: "MUST send […] a |Sec-WebSocket-Version| header field"; RFC 9110 §15.5.22: 426 "MUST send an Upgrade".
    refuse("Sec-WebSocket-Version must be 13", 426, {
      "Sec-WebSocket-Version": WEBSOCKET_VERSION,
      Upgrade: "websocket",
    });
  }
  const key = fieldValues(rawHeaders, "sec-websocket-key");
  if (key.length !== 1 || !/^[A-Za-z0-9+/]{22}==$/.test(key[0] as string)) {
    refuse("Sec-WebSocket-Key must appear once and be the base64 of 16 bytes");
  }
  return {
    key: key[0] as string,
    protocols: offeredProtocols(rawHeaders),
    extensionsOffer: extensionsOffer(rawHeaders),
  };
}

function offeredProtocols(rawHeaders: RawHeaders): string[] {
  const values = fieldValues(rawHeaders, "sec-websocket-protocol");
  if (values.length === 0) return [];
  const protocols = parseTokenList(values.join(", "));
  if (protocols === null) refuse("Sec-WebSocket-Protocol must be a list of tokens");
  // RFC 6455 §4.1 (10): "the elements […] MUST all be unique strings".
  if (new Set(protocols).size !== protocols.length) refuse("Sec-WebSocket-Protocol must not repeat an element");
  return protocols;
}

function extensionsOffer(rawHeaders: RawHeaders): string {
  const values = fieldValues(rawHeaders, "sec-websocket-extensions");
  if (values.length === 0) return "";
  const offer = values.join(", ");
  if (parseExtensionList(offer) === null) refuse("Sec-WebSocket-Extensions is malformed");
  return offer;
}

function refuse(message: string, statusCode: number = 400, headers: Record<string, string> = {}): never {
  throw new HandshakeRefusal(message, { statusCode, section: "RFC 6455 §4.2.1", headers });
}
