/** Characters of an HTTP token (RFC 7230 §3.2.6), which a subprotocol name must be. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Takes the place of streams/url-record.ts in the bundle, with shorter words: _Get a URL record_ (WHATWG WebSockets §3.1):
 * http becomes ws, https becomes wss, a fragment is refused, also an empty one.
 *
 * @throws {DOMException} SyntaxError
 */
export function getURLRecord(url: string): URL {
  let record: URL | undefined;
  try {
    record = new URL(url, globalThis.document?.baseURI ?? location.href);
    record.protocol = record.protocol.replace(/^http(?=s?:)/, "ws");
  } catch {
    // The parser's own TypeError says no more than the message below.
  }
  // `hash` is "" for an empty fragment too, so look at the serialization.
  if (!record || !/^wss?:[^#]*$/.test(record.href))
    throw createSyntaxError(`the URL must be ws:, wss:, http: or https: without a fragment: current value is ${url}`);
  return record;
}

/**
 * Checks the offered subprotocols: each a token, none twice (compared without ASCII case, D-06).
 *
 * @throws {DOMException} SyntaxError
 */
export function validateProtocols(protocols: readonly string[]): void {
  const names = new Set(protocols.map((name) => name.toLowerCase()));
  if (names.size < protocols.length || !protocols.every((name) => TOKEN.test(name)))
    throw createSyntaxError(`each subprotocol must be another HTTP token: current value is ${protocols}`);
}

function createSyntaxError(why: string): DOMException {
  return new DOMException(`Cannot connect as ${why}`, "SyntaxError");
}
