import { describe, expect, it } from "vitest";
import type { RequestHeadersInit } from "./request-headers.ts";
import { createRequestHeaders } from "./request-headers.ts";

const OFFER = { protocols: [], extensions: "", key: "dGhlIHNhbXBsZSBub25jZQ==" };

function create(init: Omit<Partial<RequestHeadersInit>, "url"> & { url?: string }): Record<string, string | string[]> {
  return createRequestHeaders({ offer: OFFER, ...init, url: new URL(init.url ?? "ws://example.com/") });
}

describe("RFC 6455 §4.1 the request's fields", () => {
  it("H05, H08: the fixed fields and nothing else", () => {
    expect(create({})).toEqual({
      Host: "example.com",
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version": "13",
    });
  });

  it.each([
    ["ws://example.com:80/", "example.com"],
    ["ws://example.com:443/", "example.com:443"],
    ["wss://example.com:443/", "example.com"],
    ["wss://example.com:80/", "example.com:80"],
    ["ws://[::1]:8080/", "[::1]:8080"],
    ["ws://[::1]/", "[::1]"],
  ])("H05: %s has Host %s", (url, host) => {
    expect(create({ url }).Host).toBe(host);
  });

  it("H06, H07: protocols in order, and the extension offer", () => {
    const headers = create({ offer: { ...OFFER, protocols: ["b", "a"], extensions: "permessage-deflate" } });
    expect(headers["Sec-WebSocket-Protocol"]).toBe("b, a");
    expect(headers["Sec-WebSocket-Extensions"]).toBe("permessage-deflate");
  });

  it("H08: Origin if the caller gives one; the option wins over the header", () => {
    expect(create({ origin: "https://a.example" }).Origin).toBe("https://a.example");
    expect(create({ headers: { origin: "https://b.example" } }).origin).toBe("https://b.example");
    const both = create({ origin: "https://a.example", headers: { ORIGIN: "https://b.example" } });
    expect(both.Origin).toBe("https://a.example");
    expect(both.ORIGIN).toBe(undefined);
  });

  it.each([
    "Host",
    "connection",
    "UPGRADE",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "sec-websocket-accept",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Content-Length",
    "Transfer-Encoding",
    "Expect",
  ])("H09: the header %s is refused, saying why and what to do", (name) => {
    expect(() => create({ headers: { [name]: "x" } })).toThrow(TypeError);
    expect(() => create({ headers: { [name]: "x" } })).toThrow(/belongs to the opening handshake: leave it out, \w/);
  });

  it.each([
    ["X", "a\r\nHost: evil"],
    ["X", "a\n"],
    ["X", "a\u0000b"],
    ["X", "\u010D\u010A"],
    ["X\r\nY", "a"],
    ["X:", "a"],
    ["", "a"],
  ])("header injection %j: %j is refused", (name, value) => {
    expect(() => create({ headers: [[name, value]] })).toThrow(TypeError);
  });

  it("refuses an Origin that would break the head", () => {
    expect(() => create({ origin: "a\r\nb" })).toThrow(TypeError);
  });

  it("takes Headers, pairs and records; a repeated name keeps all its values", () => {
    expect(create({ headers: new Headers({ "X-A": "1" }) })["x-a"]).toBe("1");
    expect(create({ headers: { "X-A": "1" } })["X-A"]).toBe("1");
    const pairs: [string, string][] = [
      ["X-A", "1"],
      ["x-a", "2"],
      ["__proto__", "3"],
    ];
    const headers = create({ headers: pairs.slice(0, 2) });
    expect(headers["X-A"]).toEqual(["1", "2"]);
    expect(headers["x-a"]).toBe(undefined);
  });

  it.each([
    ["ws://user:pass@h/", "user:pass"],
    ["ws://user@h/", "user:"],
    ["ws://:pass@h/", ":pass"],
    ["ws://us%3Aer:p%40ss%20w@h/", "us:er:p@ss w"],
    ["ws://%C3%A9:%E2%82%AC@h/", "\u00E9:\u20AC"],
    ["ws://a%zz:b@h/", "a%zz:b"],
  ])("userinfo of %s becomes Basic authorization", (url, credentials) => {
    expect(create({ url }).Authorization).toBe(`Basic ${Buffer.from(credentials).toString("base64")}`);
  });

  it("the caller's Authorization wins over the URL's", () => {
    const headers = create({ url: "ws://user:pass@h/", headers: { authorization: "Bearer x" } });
    expect(headers.authorization).toBe("Bearer x");
    expect(headers.Authorization).toBe(undefined);
  });
});
