import { describe, expect, it } from "vitest";
import type { HandshakeOffer, HandshakeResponse } from "./client-handshake.ts";
import { validateServerResponse } from "./client-handshake.ts";
import { HandshakeError } from "./handshake-error.ts";

const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const OFFER: HandshakeOffer = { protocols: [], extensions: "", key: "dGhlIHNhbXBsZSBub25jZQ==" };
const GOOD = ["Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Accept", ACCEPT];

function response(rawHeaders: readonly string[], init: Partial<HandshakeResponse> = {}): HandshakeResponse {
  return { statusCode: 101, httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders, ...init };
}

function codeOf(head: HandshakeResponse, offer: Partial<HandshakeOffer> = {}): string {
  try {
    validateServerResponse(head, { ...OFFER, ...offer }, ACCEPT);
  } catch (error) {
    expect(error).toBeInstanceOf(HandshakeError);
    expect((error as HandshakeError).section).toMatch(/^RFC (6455|7692) §/);
    return (error as HandshakeError).code;
  }
  return "accepted";
}

/** The good response with one field replaced by others (none: left out). */
function without(name: string, ...replacement: string[]): HandshakeResponse {
  const rest: string[] = [];
  for (let index = 0; index < GOOD.length; index += 2) {
    if (GOOD[index] !== name) rest.push(GOOD[index] as string, GOOD[index + 1] as string);
  }
  return response([...rest, ...replacement]);
}

describe("RFC 6455 §4.1 the server's response", () => {
  it("accepts a good one, without protocol and extensions", () => {
    expect(validateServerResponse(response(GOOD), OFFER, ACCEPT)).toEqual({
      protocol: "",
      extensions: "",
      deflate: null,
    });
  });

  it.each([200, 100, 301, 401, 404, 426, 500])("H11: status %i fails", (statusCode) => {
    expect(codeOf(response(GOOD, { statusCode }))).toBe("ERR_SLUICE_HANDSHAKE_STATUS");
  });

  it.each([
    [1, 0],
    [0, 9],
    [2, 0],
  ])("H11: HTTP/%i.%i fails", (httpVersionMajor, httpVersionMinor) => {
    expect(codeOf(response(GOOD, { httpVersionMajor, httpVersionMinor }))).toBe("ERR_SLUICE_HANDSHAKE_VERSION");
  });

  it.each([
    ["missing", []],
    ["empty", ["Upgrade", ""]],
    ["another protocol", ["Upgrade", "h2c"]],
    ["a list", ["Upgrade", "websocket, h2c"]],
    ["repeated", ["Upgrade", "websocket", "Upgrade", "websocket"]],
    ["followed by something", ["Upgrade", "websocket/13"]],
  ])("H12: Upgrade %s fails", (_name, fields) => {
    expect(codeOf(without("Upgrade", ...fields))).toBe("ERR_SLUICE_HANDSHAKE_UPGRADE");
  });

  it.each([
    ["Upgrade", "WebSocket"],
    ["UPGRADE", "WEBSOCKET"],
  ])("H12: %s: %s is accepted", (name, value) => {
    expect(codeOf(without("Upgrade", name, value))).toBe("accepted");
  });

  it.each([
    ["missing", []],
    ["keep-alive", ["Connection", "keep-alive"]],
    ["a word that contains it", ["Connection", "upgraded"]],
    ["not a list", ["Connection", "keep-alive Upgrade"]],
  ])("H13: Connection %s fails", (_name, fields) => {
    expect(codeOf(without("Connection", ...fields))).toBe("ERR_SLUICE_HANDSHAKE_CONNECTION");
  });

  it.each([
    ["in a list", ["Connection", "keep-alive, Upgrade"]],
    ["in other case", ["connection", "UPGRADE"]],
    ["in the second of two fields", ["Connection", "keep-alive", "Connection", "upgrade"]],
  ])("H13: Connection with upgrade %s is accepted", (_name, fields) => {
    expect(codeOf(without("Connection", ...fields))).toBe("accepted");
  });

  it.each([
    ["missing", []],
    ["wrong", ["Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="]],
    ["in other case", ["Sec-WebSocket-Accept", ACCEPT.toLowerCase()]],
    ["the key itself", ["Sec-WebSocket-Accept", OFFER.key]],
    ["repeated", ["Sec-WebSocket-Accept", ACCEPT, "Sec-WebSocket-Accept", ACCEPT]],
    ["joined", ["Sec-WebSocket-Accept", `${ACCEPT}, ${ACCEPT}`]],
  ])("H14: Sec-WebSocket-Accept %s fails", (_name, fields) => {
    expect(codeOf(without("Sec-WebSocket-Accept", ...fields))).toBe("ERR_SLUICE_HANDSHAKE_ACCEPT");
  });

  it("H14: white space around the accept value is no part of it", () => {
    expect(codeOf(without("Sec-WebSocket-Accept", "Sec-WebSocket-Accept", `\t ${ACCEPT} `))).toBe("accepted");
  });

  it.each([
    ["not offered at all", "", "permessage-deflate"],
    ["another one", "permessage-deflate", "x-webkit-deflate-frame"],
    ["an empty field", "permessage-deflate", ""],
    ["malformed", "permessage-deflate", "permessage-deflate;"],
    ["twice", "permessage-deflate", "permessage-deflate, permessage-deflate"],
    ["with one that was not offered", "permessage-deflate", "permessage-deflate, foo"],
  ])("H15: an extension response %s fails", (_name, extensions, value) => {
    expect(codeOf(response([...GOOD, "Sec-WebSocket-Extensions", value]), { extensions })).toBe(
      "ERR_SLUICE_HANDSHAKE_EXTENSIONS",
    );
  });

  it("H15: two fields are one list", () => {
    const fields = ["Sec-WebSocket-Extensions", "permessage-deflate", "sec-websocket-extensions", "permessage-deflate"];
    expect(codeOf(response([...GOOD, ...fields]), { extensions: "permessage-deflate" })).toBe(
      "ERR_SLUICE_HANDSHAKE_EXTENSIONS",
    );
  });

  it("H15: the accepted extension is reported as received", () => {
    const value = "PerMessage-Deflate ;client_max_window_bits=10";
    const result = validateServerResponse(
      response([...GOOD, "Sec-WebSocket-Extensions", value]),
      { ...OFFER, extensions: "permessage-deflate; client_max_window_bits" },
      ACCEPT,
    );
    expect(result.extensions).toBe(value);
    expect(result.deflate).toEqual({
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 15,
      clientMaxWindowBits: 10,
    });
  });

  it.each([
    ["nothing although something was offered", ["chat"], []],
    ["something although nothing was offered", [], ["Sec-WebSocket-Protocol", "chat"]],
    ["an empty value although nothing was offered", [], ["Sec-WebSocket-Protocol", ""]],
    ["an empty value", ["chat"], ["Sec-WebSocket-Protocol", ""]],
    ["what was not offered", ["chat"], ["Sec-WebSocket-Protocol", "superchat"]],
    ["another case", ["chat"], ["Sec-WebSocket-Protocol", "Chat"]],
    ["a list", ["chat", "superchat"], ["Sec-WebSocket-Protocol", "chat, superchat"]],
    ["two fields", ["chat"], ["Sec-WebSocket-Protocol", "chat", "Sec-WebSocket-Protocol", "chat"]],
  ])("H16: selecting %s fails", (_name, protocols, fields) => {
    expect(codeOf(response([...GOOD, ...fields]), { protocols })).toBe("ERR_SLUICE_HANDSHAKE_PROTOCOL");
  });

  it("H16: one of the offered protocols is the result", () => {
    const head = response([...GOOD, "Sec-WebSocket-Protocol", " superchat "]);
    expect(validateServerResponse(head, { ...OFFER, protocols: ["chat", "superchat"] }, ACCEPT).protocol).toBe(
      "superchat",
    );
  });

  it("an error quotes at most a little of what the server sent", () => {
    try {
      validateServerResponse(without("Upgrade", "Upgrade", "x".repeat(16_000)), OFFER, ACCEPT);
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(400);
    }
  });
});
