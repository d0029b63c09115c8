import { isFieldValue, isToken } from "./http-fields.ts";

/** Fields in order: a Headers object, an array of pairs, a Map, or `Object.entries()` of a record. */
export type FieldPairs = Iterable<readonly [name: string, value: string]>;

/** What goes into a 101 response besides the fixed fields. */
export interface ServerResponseInit {
  /** `Sec-WebSocket-Accept`. */
  readonly accept: string;
  /** The chosen subprotocol, or `""` for none: then there is no such field (H26). */
  readonly protocol?: string | undefined;
  /** `Sec-WebSocket-Extensions`, or `""` for none. */
  readonly extensions?: string | undefined;
  /** The application's own fields. */
  readonly headers?: FieldPairs | undefined;
}

/** Belong to the handshake itself (H28) or would give a body to a response that has none. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  "connection",
  "upgrade",
  "sec-websocket-accept",
  "sec-websocket-protocol",
  "sec-websocket-extensions",
  "sec-websocket-key",
  "sec-websocket-version",
  "content-length",
  "transfer-encoding",
  "trailer",
]);

/** A refusal frames its body by itself, but may well name the versions or protocols that it knows. */
const RESERVED_REFUSAL_NAMES: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "transfer-encoding",
  "trailer",
]);

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  200: "OK",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  421: "Misdirected Request",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/**
 * The head of the 101 response (RFC 6455 §4.2.2 step 5, H28), to be written as Latin-1.
 *
 * @throws {TypeError} if a field of the application has an invalid name or value, or a name that the handshake itself uses
 */
export function createServerResponse(init: ServerResponseInit): string {
  let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  head += field("Sec-WebSocket-Accept", init.accept);
  if (init.protocol) {
    if (!isToken(init.protocol)) {
      throw new TypeError(`Cannot select subprotocol as it must be a token: current value is ${show(init.protocol)}`);
    }
    head += field("Sec-WebSocket-Protocol", init.protocol);
  }
  if (init.extensions) head += field("Sec-WebSocket-Extensions", init.extensions);
  return `${head}${fields(init.headers ?? [], RESERVED_NAMES)}\r\n`;
}

/**
 * A complete response that refuses the upgrade (H29): `Connection: close`, the exact `Content-Length`, then the body.
 * The caller writes it and ends the connection.
 *
 * @param statusCode 200 to 599; 204 and 304 go without body and length, as RFC 9110 §8.6 demands
 * @param headers further fields; a string body gets `Content-Type: text/plain; charset=utf-8` if none is given
 * @throws {RangeError} if the status is not that of a final response
 * @throws {TypeError} if a field has an invalid name or value, or one that frames the response
 */
export function createRefusal(
  statusCode: number,
  headers: FieldPairs = [],
  body: string | Uint8Array = "",
): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(statusCode) || statusCode < 200 || statusCode > 599) {
    throw new RangeError(`Cannot refuse with this status as it must be 200 to 599: current value is ${statusCode}`);
  }
  const pairs = [...headers];
  const names = new Set(pairs.map(([name]) => name.toLowerCase()));
  const hasNoBody = statusCode === 204 || statusCode === 304;
  let content: Uint8Array = new Uint8Array(0);
  if (!hasNoBody) content = typeof body === "string" ? new TextEncoder().encode(body) : body;

  let head = `HTTP/1.1 ${statusCode} ${STATUS_TEXTS[statusCode] ?? ""}\r\n`;
  // RFC 9110 §7.8: "A sender of Upgrade MUST also send an 'Upgrade' connection option".
  head += names.has("upgrade") ? "Connection: close, Upgrade\r\n" : "Connection: close\r\n";
  if (typeof body === "string" && content.length > 0 && !names.has("content-type")) {
    head += "Content-Type: text/plain; charset=utf-8\r\n";
  }
  if (!hasNoBody) head += `Content-Length: ${content.length}\r\n`;
  head += `${fields(pairs, RESERVED_REFUSAL_NAMES)}\r\n`;

  const response = new Uint8Array(head.length + content.length);
  for (let index = 0; index < head.length; index++) response[index] = head.charCodeAt(index);
  response.set(content, head.length);
  return response;
}

function fields(pairs: FieldPairs, reservedNames: ReadonlySet<string>): string {
  let text = "";
  for (const [name, value] of pairs) {
    if (reservedNames.has(name.toLowerCase())) {
      throw new TypeError(`Cannot send field ${name} as the handshake itself sets or forbids it: leave it out`);
    }
    text += field(name, value);
  }
  return text;
}

function field(name: string, value: string): string {
  if (!isToken(name))
    throw new TypeError(`Cannot send field as its name must be a token: current value is ${show(name)}`);
  if (!isFieldValue(value)) {
    throw new TypeError(`Cannot send field ${name} as its value has a control character or one beyond Latin-1`);
  }
  return `${name}: ${value}\r\n`;
}

function show(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
