import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { getRequestField } from "./request-field.ts";

/**
 * Which web pages may connect (RFC 6455 §10.2). Browsers do not apply the same-origin policy to WebSockets: without a
 * check any page that a user visits can open a connection to this server with that user's cookies, also to `localhost`.
 *
 * - `"same-host"`: the page's host and port are those that the request was sent to.
 * - `"*"`: every page.
 * - a list of origins, e.g. `["https://example.com", "http://localhost:5173"]`, compared exactly.
 * - a function; only an answer of exactly `true` allows. It may be asynchronous.
 *
 * A request without an `Origin` field does not come from a page and passes each of them: this check protects users of
 * browsers, it authenticates nobody.
 */
export type OriginPolicy =
  | "same-host"
  | "*"
  | readonly string[]
  | ((origin: string, request: IncomingMessage) => boolean | Promise<boolean>);

/** Whether the page that made the request may connect. */
export type OriginCheck = (request: IncomingMessage) => boolean | Promise<boolean>;

/**
 * Makes the check for a policy.
 *
 * @throws {TypeError} if the policy is none of the four, or an entry of the list is not an origin
 */
export function createOriginCheck(policy: OriginPolicy): OriginCheck {
  if (policy === "*") {
    return () => true;
  }
  if (policy === "same-host") {
    return withOrigin(isSameHost);
  }
  if (typeof policy === "function") {
    return withOrigin((origin, request) => {
      const answer: unknown = policy(origin, request);
      // An asynchronous function must not pass because a promise is truthy.
      return answer instanceof Promise ? answer.then((value) => value === true) : answer === true;
    });
  }
  if (Array.isArray(policy)) {
    const allowed = new Set(policy.map(requireOrigin));
    return withOrigin((origin) => {
      const normalized = normalizeOrigin(origin);
      return normalized !== null && allowed.has(normalized);
    });
  }
  throw new TypeError('Option origins must be "same-host", "*", a list of origins, or a function');
}

function withOrigin(check: (origin: string, request: IncomingMessage) => boolean | Promise<boolean>): OriginCheck {
  return (request) => {
    const origin = getRequestField(request, "origin");
    return origin === undefined || check(origin, request);
  };
}

/** scheme "://" host [ ":" port ], nothing else: an Origin field has no path (RFC 6454 §7.1). */
const SERIALIZED_ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\\\s]+$/i;
const AUTHORITY = /^[^/?#@\\\s]+$/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

/**
 * Compares with the `Host` field, never with `X-Forwarded-*`, which anybody can send.
 *
 * A `Host` without a port means the default port of the scheme that the browser used. On a TLS socket that is 443. On a
 * plain socket it is not known, since a proxy in front may have ended TLS: then the scheme of the origin decides.
 */
function isSameHost(origin: string, request: IncomingMessage): boolean {
  const host = getRequestField(request, "host");
  // "null" (sandboxed frame, file:, data:) fails here: it names no host.
  const page = SERIALIZED_ORIGIN.test(origin) ? parseURL(origin) : null;
  if (page === null || !(page.protocol in DEFAULT_PORTS) || host === undefined || !AUTHORITY.test(host)) {
    return false;
  }
  const isEncrypted = (request.socket as Partial<TLSSocket>).encrypted === true;
  // Read from the text: a parsed URL hides a port that is its scheme's default.
  const explicitPort = /:(\d+)$/.exec(host)?.[1];
  const target = parseURL(`http://${host}`);
  if (target === null) {
    return false;
  }
  const pagePort = page.port === "" ? DEFAULT_PORTS[page.protocol] : page.port;
  const assumedPort = isEncrypted ? "443" : DEFAULT_PORTS[page.protocol];
  const targetPort = explicitPort === undefined ? assumedPort : String(Number(explicitPort));
  return page.hostname === target.hostname && pagePort === targetPort;
}

/** Lower case, default port removed; null if it is not an origin. `"null"` is an origin that a list may contain. */
function normalizeOrigin(origin: string): string | null {
  if (origin === "null") {
    return origin;
  }
  const url = SERIALIZED_ORIGIN.test(origin) ? parseURL(origin) : null;
  // `url.origin` is "null" for schemes that the URL Standard does not know, e.g. those of browser extensions.
  return url === null ? null : `${url.protocol}//${url.host.toLowerCase()}`;
}

function requireOrigin(entry: unknown): string {
  const normalized = typeof entry === "string" ? normalizeOrigin(entry) : null;
  if (normalized === null) {
    throw new TypeError(
      `Option origins must list origins such as "https://example.com": current entry is ${JSON.stringify(entry)}`,
    );
  }
  return normalized;
}

function parseURL(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}
