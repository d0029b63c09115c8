import { describe, expect, it } from "vitest";
import { HandshakeError } from "./handshake-error.ts";

describe("HandshakeError", () => {
  it("carries what is known of the response, and the cause", () => {
    const headers = new Headers({ "retry-after": "5" });
    const cause = new Error("reset");
    const error = new HandshakeError("Cannot open WebSocket", {
      code: "ERR_SLUICE_HANDSHAKE_STATUS",
      section: "RFC 6455 §4.1",
      statusCode: 503,
      headers,
      body: "busy",
      cause,
    });
    expect(error).toMatchObject({ name: "HandshakeError", code: "ERR_SLUICE_HANDSHAKE_STATUS", statusCode: 503 });
    expect([error.section, error.headers, error.body, error.cause]).toEqual(["RFC 6455 §4.1", headers, "busy", cause]);
  });

  it("has null for what is not known, and no cause of its own", () => {
    const error = new HandshakeError("Cannot open WebSocket", { code: "ERR_SLUICE_CONNECT_FAILED" });
    expect([error.section, error.statusCode, error.headers, error.body]).toEqual([null, null, null, null]);
    expect(Object.hasOwn(error, "cause")).toBe(false);
  });
});
