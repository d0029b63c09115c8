import { describe, expect, it } from "vitest";
import { createRefusal, createServerResponse } from "./server-response.ts";

const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

describe("H28: RFC 6455 §4.2.2 the 101 response", () => {
  it("has the four fixed parts and no empty field", () => {
    expect(createServerResponse({ accept: ACCEPT, protocol: "", extensions: "" })).toBe(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
    );
  });

  it("has protocol, extensions and the application's fields when there are any", () => {
    const head = createServerResponse({
      accept: ACCEPT,
      protocol: "chat",
      extensions: "permessage-deflate",
      headers: [
        ["Set-Cookie", "a=1"],
        ["Set-Cookie", "b=2"],
      ],
    });
    expect(head.split("\r\n").slice(3)).toEqual([
      `Sec-WebSocket-Accept: ${ACCEPT}`,
      "Sec-WebSocket-Protocol: chat",
      "Sec-WebSocket-Extensions: permessage-deflate",
      "Set-Cookie: a=1",
      "Set-Cookie: b=2",
      "",
      "",
    ]);
  });

  it.each([
    ["X", "a\r\nSet-Cookie: b"],
    ["X", "a\nb"],
    ["X", "a\rb"],
    ["X", "a\u0000"],
    ["X", "\u010D\u010A"],
    ["X\r\nY", "a"],
    ["X Y", "a"],
    ["", "a"],
    ["Upgrade", "h2c"],
    ["CONNECTION", "close"],
    ["sec-websocket-accept", "x"],
    ["Sec-WebSocket-Extensions", "foo"],
    ["Content-Length", "5"],
    ["Transfer-Encoding", "chunked"],
  ])("refuses the field %j: %j with a TypeError", (name, value) => {
    expect(() => createServerResponse({ accept: ACCEPT, headers: [[name, value]] })).toThrow(TypeError);
  });

  it("refuses a subprotocol that would break the head", () => {
    expect(() => createServerResponse({ accept: ACCEPT, protocol: "a\r\nb" })).toThrow(TypeError);
  });
});

describe("H29: a refusal", () => {
  it("closes the connection and has the exact length of its body in bytes", () => {
    expect(text(createRefusal(403, [["X-Reason", "origin"]], "\u00E9\u20AC"))).toBe(
      "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n" +
        "X-Reason: origin\r\n\r\n\u00C3\u00A9\u00E2\u0082\u00AC",
    );
  });

  it("says so when it has no body", () => {
    expect(text(createRefusal(404))).toBe("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    expect(text(createRefusal(299))).toBe("HTTP/1.1 299 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });

  it("RFC 9110 §7.8: names Upgrade in Connection when it carries that field", () => {
    expect(text(createRefusal(426, [["Upgrade", "websocket"]]))).toContain("\r\nConnection: close, Upgrade\r\n");
  });

  it("RFC 9110 §8.6: 204 has neither body nor length", () => {
    expect(text(createRefusal(204, [], "x"))).toBe("HTTP/1.1 204 \r\nConnection: close\r\n\r\n");
  });

  it("takes bytes and a content type of the application", () => {
    const response = createRefusal(500, [["content-type", "application/json"]], new Uint8Array([0x7b, 0x7d]));
    expect(text(response)).toBe(
      "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 2\r\ncontent-type: application/json\r\n\r\n{}",
    );
  });

  it.each([101, 199, 600, 404.5, Number.NaN])("refuses status %d with a RangeError", (statusCode) => {
    expect(() => createRefusal(statusCode)).toThrow(RangeError);
  });

  it.each([
    ["X", "a\r\n\r\nbody"],
    ["Content-Length", "1"],
    ["Connection", "keep-alive"],
  ])("refuses the field %j: %j with a TypeError", (name, value) => {
    expect(() => createRefusal(400, [[name, value]])).toThrow(TypeError);
  });
});
