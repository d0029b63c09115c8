/** Characters of an HTTP token (RFC 7230 §3.2.6), which a subprotocol name must be. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * _Get a URL record_ (WHATWG WebSockets §3.1): http becomes ws, https becomes wss, a fragment is refused, also an empty one.
 *
 * The base is the document's, or the worker's `location`; Node has neither, so a relative URL is a SyntaxError there.
 *
 * @throws {DOMException} SyntaxError
 */
export function getURLRecord(url: string): URL {
  const { document, location } = globalThis as { document?: { baseURI?: string }; location?: { href?: string } };
  const base = document?.baseURI ?? location?.href;
  let record: URL;
  try {
    record = new URL(url, base);
  } catch {
    // The parser's own TypeError says no more than this.
    const hint =
      base === undefined ? " (there is no base URL here, so it must be absolute, such as ws://host/path)" : "";
    throw new DOMException(`Cannot connect as the URL is not valid${hint}: current value is ${url}`, "SyntaxError");
  }
  if (record.protocol === "http:") record.protocol = "ws:";
  else if (record.protocol === "https:") record.protocol = "wss:";
  if (record.protocol !== "ws:" && record.protocol !== "wss:") {
    throw new DOMException(
      `Cannot connect as the URL's scheme must be ws, wss, http or https: current scheme is ${record.protocol.slice(0, -1)}`,
      "SyntaxError",
    );
  }
  // `hash` is "" for an empty fragment too, so look at the serialization.
  if (record.href.includes("#")) {
    throw new DOMException(`Cannot connect as the URL must have no fragment: current value is ${url}`, "SyntaxError");
  }
  return record;
}

/**
 * Checks the offered subprotocols: each a token, none twice (compared without ASCII case, D-06).
 *
 * @throws {DOMException} SyntaxError
 */
export function validateProtocols(protocols: readonly string[]): void {
  const seen = new Set<string>();
  for (const protocol of protocols) {
    if (!TOKEN.test(protocol)) {
      throw new DOMException(
        `Cannot offer this subprotocol as it must be a non-empty HTTP token: current value is ${JSON.stringify(protocol)}`,
        "SyntaxError",
      );
    }
    const key = protocol.toLowerCase();
    if (seen.has(key)) {
      throw new DOMException(`Cannot offer a subprotocol twice: ${protocol} is repeated`, "SyntaxError");
    }
    seen.add(key);
  }
}
