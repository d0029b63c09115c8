import { describe, expect, it } from "vitest";
import { createWebSocketError, isWebSocketError, readWebSocketError, WebSocketError } from "./websocket-error.ts";

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error("The call must throw");
}

describe("spec-digest 1.2 WebSocketError", () => {
  it("has the defaults of its arguments", () => {
    const error = new WebSocketError();
    expect([error.name, error.message, error.code]).toEqual(["WebSocketError", "", 0]);
    expect([error.closeCode, error.reason]).toEqual([null, ""]);
    expect(error).toBeInstanceOf(DOMException);
    expect(error).toBeInstanceOf(Error);
    expect(Object.prototype.toString.call(error)).toBe("[object WebSocketError]");
  });

  it.each([
    ["a code", { closeCode: 3456 }, 3456, ""],
    ["1000", { closeCode: 1000 }, 1000, ""],
    ["code and reason", { closeCode: 4999, reason: "r" }, 4999, "r"],
    ["a reason alone, which means 1000", { reason: "r" }, 1000, "r"],
    ["an empty reason, which means nothing", { reason: "" }, null, ""],
    ["a reason of 123 bytes", { reason: `${"é".repeat(61)}a` }, 1000, `${"é".repeat(61)}a`],
  ])("takes %s", (_, init, closeCode, reason) => {
    const error = new WebSocketError("text", init);
    expect([error.message, error.closeCode, error.reason]).toEqual(["text", closeCode, reason]);
  });

  it.each([0, 999, 1001, 1005, 1006, 1015, 2999, 5000, 65535])(
    "refuses the code %i with InvalidAccessError",
    (code) => {
      const error = thrownBy(() => new WebSocketError("", { closeCode: code }));
      expect(error).toMatchObject({ name: "InvalidAccessError" });
      expect(isWebSocketError(error)).toBe(false);
    },
  );

  it("refuses 124 bytes of reason with SyntaxError, after the code", () => {
    const reason = "é".repeat(62);
    expect(thrownBy(() => new WebSocketError("", { reason }))).toMatchObject({ name: "SyntaxError" });
    const both = thrownBy(() => new WebSocketError("", { closeCode: 1001, reason }));
    expect(both).toMatchObject({ name: "InvalidAccessError" });
  });

  it("is known by its brand, whatever else looks like it", () => {
    class Derived extends WebSocketError {}
    expect(isWebSocketError(new Derived())).toBe(true);
    const impostors = [
      { name: "WebSocketError", closeCode: 4000, reason: "r" },
      Object.assign(new DOMException("", "WebSocketError"), { closeCode: 4000, reason: "r" }),
      Object.create(new WebSocketError("", { closeCode: 4000 })),
      Object.create(WebSocketError.prototype),
      new Proxy(new WebSocketError("", { closeCode: 4000 }), {}),
      "WebSocketError",
      null,
      undefined,
    ];
    for (const impostor of impostors) {
      expect(isWebSocketError(impostor)).toBe(false);
      expect(readWebSocketError(impostor)).toBeNull();
    }
  });
});

describe("errors that the engine makes", () => {
  it.each([1005, 1006, 1001, 1014, 2999, null])("take the code %s without validation", (closeCode) => {
    const error = createWebSocketError(closeCode, "r".repeat(200), "text", null);
    expect(isWebSocketError(error)).toBe(true);
    expect([error.closeCode, error.reason, error.message]).toEqual([closeCode, "r".repeat(200), "text"]);
    expect(Object.hasOwn(error, "cause")).toBe(false);
  });

  it("carry the underlying error as a cause that is not enumerable (D-03)", () => {
    const cause = new Error("socket");
    const error = createWebSocketError(1006, "", "text", cause);
    expect(error.cause).toBe(cause);
    expect(Object.keys(error)).not.toContain("cause");
  });
});
