import { describe, expect, it } from "vitest";
import { HandshakeRefusal } from "./handshake-error.ts";
import type { HandshakeRequest } from "./server-handshake.ts";
import { validateClientRequest } from "./server-handshake.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const GOOD = [
  ["Host", "example.com"],
  ["Upgrade", "websocket"],
  ["Connection", "Upgrade"],
  ["Sec-WebSocket-Key", KEY],
  ["Sec-WebSocket-Version", "13"],
] as const;

/** The good request with one field replaced by others (none: left out). */
function without(name: string, ...replacement: string[]): HandshakeRequest {
  return request([...GOOD.filter((field) => field[0] !== name).flat(), ...replacement]);
}

function request(rawHeaders: readonly string[], init: Partial<HandshakeRequest> = {}): HandshakeRequest {
  return { method: "GET", httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders, ...init };
}

function withMore(...fields: string[]): HandshakeRequest {
  return request([...GOOD.flat(), ...fields]);
}

function refusalOf(head: HandshakeRequest): HandshakeRefusal | null {
  try {
    validateClientRequest(head);
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(HandshakeRefusal);
    return error as HandshakeRefusal;
  }
}

describe("RFC 6455 §4.2.1 the client's request", () => {
  it("accepts a good one", () => {
    expect(validateClientRequest(request(GOOD.flat()))).toEqual({ key: KEY, protocols: [], extensionsOffer: "" });
  });

  it.each(["POST", "HEAD", "OPTIONS", "CONNECT", "get"])("H18: method %s is answered 405 with Allow", (method) => {
    const refusal = refusalOf(request(GOOD.flat(), { method }));
    expect(refusal?.statusCode).toBe(405);
    expect(refusal?.headers).toEqual({ Allow: "GET" });
  });

  it.each([
    [1, 0],
    [0, 9],
    [2, 0],
  ])("H19: HTTP/%i.%i is answered 400", (httpVersionMajor, httpVersionMinor) => {
    expect(refusalOf(request(GOOD.flat(), { httpVersionMajor, httpVersionMinor }))?.statusCode).toBe(400);
  });

  it.each([
    ["H19: no Host", "Host", []],
    ["H19: two Hosts", "Host", ["Host", "a", "Host", "b"]],
    ["H20: no Upgrade", "Upgrade", []],
    ["H20: another Upgrade", "Upgrade", ["Upgrade", "h2c"]],
    ["H20: no Connection", "Connection", []],
    ["H20: Connection without upgrade", "Connection", ["Connection", "keep-alive"]],
    ["H21: no key", "Sec-WebSocket-Key", []],
    ["H21: two keys", "Sec-WebSocket-Key", ["Sec-WebSocket-Key", KEY, "Sec-WebSocket-Key", KEY]],
    ["H21: an empty key", "Sec-WebSocket-Key", ["Sec-WebSocket-Key", ""]],
    ["H21: a key of 15 bytes", "Sec-WebSocket-Key", ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"]],
    ["H21: a key of 17 bytes", "Sec-WebSocket-Key", ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZWU="]],
    ["H21: a key that is no base64", "Sec-WebSocket-Key", ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZ-=="]],
    ["H21: a key with something behind it", "Sec-WebSocket-Key", ["Sec-WebSocket-Key", `${KEY}, ${KEY}`]],
  ])("%s is answered 400", (_name, name, fields) => {
    expect(refusalOf(without(name, ...fields))?.statusCode).toBe(400);
  });

  it.each([
    ["in a list", "Upgrade", ["Upgrade", "h2c, WebSocket"]],
    ["in two fields", "Upgrade", ["Upgrade", "h2c", "upgrade", "websocket"]],
    ["as browsers send it", "Connection", ["Connection", "keep-alive, Upgrade"]],
  ])("H20: the token %s is accepted", (_case, name, fields) => {
    expect(refusalOf(without(name, ...fields))).toBe(null);
  });

  it.each([[[]], [["8"]], [["13, 8"]], [["013"]], [["13", "13"]], [[""]]])(
    "H22: version %j is answered 426 with the version that we know",
    (versions) => {
      const fields = versions.flatMap((version) => ["Sec-WebSocket-Version", version]);
      const refusal = refusalOf(without("Sec-WebSocket-Version", ...fields));
      expect(refusal?.statusCode).toBe(426);
      expect(refusal?.headers).toEqual({ "Sec-WebSocket-Version": "13", Upgrade: "websocket" });
    },
  );

  it("H25: protocols come in the client's order, from all fields", () => {
    const head = withMore("Sec-WebSocket-Protocol", "chat , superchat", "sec-websocket-protocol", "v2.chat");
    expect(validateClientRequest(head).protocols).toEqual(["chat", "superchat", "v2.chat"]);
  });

  it.each(["", "chat,", "chat,,b", "chat superchat", "chat;q=1", "chat,chat", "caf\u00E9"])(
    "H25: protocol list %j is answered 400",
    (value) => {
      expect(refusalOf(withMore("Sec-WebSocket-Protocol", value))?.statusCode).toBe(400);
    },
  );

  it("H25: a repetition across fields is answered 400, other case is no repetition", () => {
    expect(refusalOf(withMore("Sec-WebSocket-Protocol", "a", "Sec-WebSocket-Protocol", "a"))?.statusCode).toBe(400);
    expect(refusalOf(withMore("Sec-WebSocket-Protocol", "a, A"))).toBe(null);
  });

  it("H27: extensions are handed on as one list", () => {
    const head = withMore("Sec-WebSocket-Extensions", "foo; a=1", "Sec-WebSocket-Extensions", "permessage-deflate");
    expect(validateClientRequest(head).extensionsOffer).toBe("foo; a=1, permessage-deflate");
  });

  it.each(["", ",", "foo;", 'foo; a="', "foo bar"])("H27: extension list %j is answered 400", (value) => {
    expect(refusalOf(withMore("Sec-WebSocket-Extensions", value))?.statusCode).toBe(400);
  });
});
