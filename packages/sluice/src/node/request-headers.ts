import type { HandshakeOffer } from "../protocol/handshake/client-handshake.ts";
import { WEBSOCKET_VERSION } from "../protocol/handshake/client-handshake.ts";
import { isFieldValue, isToken } from "../protocol/handshake/http-fields.ts";

/** What makes up the request besides the fixed fields. */
export interface RequestHeadersInit {
  readonly url: URL;
  readonly offer: HandshakeOffer;
  readonly origin?: string | undefined;
  /** The caller's own fields. */
  readonly headers?: HeadersInit | undefined;
}

/** Fields that a caller may not set (H09), and what to do instead. */
const RESERVED_NAMES: Readonly<Record<string, string>> = {
  host: "it follows from the URL",
  connection: "the handshake sets it",
  upgrade: "the handshake sets it",
  "sec-websocket-key": "the handshake sets it",
  "sec-websocket-version": "the handshake sets it",
  "sec-websocket-accept": "only a server sends it",
  "sec-websocket-protocol": "use the protocols option",
  "sec-websocket-extensions": "use the perMessageDeflate option",
  "content-length": "the request has no body",
  "transfer-encoding": "the request has no body",
  trailer: "the request has no body",
  expect: "the request has no body",
};

/**
 * The fields of the upgrade request (H05-H09), each name with its values in order.
 *
 * @throws {TypeError} if a field of the caller has an invalid name or value, or one that the handshake needs for itself
 */
export function createRequestHeaders(init: RequestHeadersInit): Record<string, string | string[]> {
  const { url, offer, origin } = init;
  const headers: Record<string, string | string[]> = {
    // RFC 6455 §4.1 (4): with the port "if not using the default"; URL#host leaves a default out and brackets IPv6.
    Host: url.host,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Key": offer.key,
    "Sec-WebSocket-Version": WEBSOCKET_VERSION,
  };
  if (offer.extensions !== "") headers["Sec-WebSocket-Extensions"] = offer.extensions;
  if (offer.protocols.length > 0) headers["Sec-WebSocket-Protocol"] = offer.protocols.join(", ");

  const own = callerFields(init.headers);
  if (origin !== undefined) {
    checkField("Origin", origin);
    own.delete("origin");
    headers.Origin = origin;
  }
  if ((url.username !== "" || url.password !== "") && !own.has("authorization")) {
    headers.Authorization = basicAuthorization(url);
  }
  for (const { name, values } of own.values()) headers[name] = values.length === 1 ? (values[0] as string) : values;
  return headers;
}

function callerFields(init: HeadersInit | undefined): Map<string, { name: string; values: string[] }> {
  const fields = new Map<string, { name: string; values: string[] }>();
  if (init === undefined || init === null) return fields;
  const pairs = Symbol.iterator in init ? (init as Iterable<readonly string[]>) : Object.entries(init);
  for (const [rawName, rawValue] of pairs) {
    const name = String(rawName);
    const value = String(rawValue);
    checkField(name, value);
    const key = name.toLowerCase();
    const advice = Object.hasOwn(RESERVED_NAMES, key) ? RESERVED_NAMES[key] : undefined;
    if (advice !== undefined) {
      throw new TypeError(`Cannot send header ${name} as it belongs to the opening handshake: leave it out, ${advice}`);
    }
    const field = fields.get(key);
    if (field === undefined) fields.set(key, { name, values: [value] });
    else field.values.push(value);
  }
  return fields;
}

function checkField(name: string, value: string): void {
  if (!isToken(name)) {
    throw new TypeError(`Cannot send header as its name must be a token: current name is ${JSON.stringify(name)}`);
  }
  if (!isFieldValue(value)) {
    throw new TypeError(
      `Cannot send header ${name} as its value must be Latin-1 without line breaks: encode the value first`,
    );
  }
}

/** RFC 7617 with UTF-8, as browsers and fetch do. */
function basicAuthorization(url: URL): string {
  const credentials = `${percentDecode(url.username)}:${percentDecode(url.password)}`;
  return `Basic ${Buffer.from(credentials).toString("base64")}`;
}

function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A percent sign that encodes nothing stands for itself
  }
}
