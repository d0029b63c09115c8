import { describe, expect, it } from "vitest";
import { isResponse, toRefusal } from "./response-refusal.ts";

const signal = new AbortController().signal;

function text(body: Uint8Array | string): string {
  return typeof body === "string" ? body : new TextDecoder().decode(body);
}

describe("toRefusal()", () => {
  it("takes over status, fields and body", async () => {
    const headers = new Headers({ "WWW-Authenticate": "Bearer" });
    headers.append("Set-Cookie", "a=1");
    headers.append("Set-Cookie", "b=2");
    const refusal = await toRefusal(new Response("who are you?", { status: 401, headers }), signal);
    expect(refusal.statusCode).toBe(401);
    expect([...refusal.fields]).toEqual([
      ["content-type", "text/plain;charset=UTF-8"],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
      ["www-authenticate", "Bearer"],
    ]);
    expect(text(refusal.body)).toBe("who are you?");
  });

  it("leaves out the fields of the connection and the length", async () => {
    const headers = {
      Connection: "keep-alive",
      "Content-Length": "5000",
      "Keep-Alive": "timeout=5",
      "Transfer-Encoding": "chunked",
      Upgrade: "h2c",
      "X-Own": "stays",
    };
    const refusal = await toRefusal(new Response(null, { status: 403, headers }), signal);
    expect([...refusal.fields]).toEqual([["x-own", "stays"]]);
  });

  it("keeps Upgrade with 426, which must have it", async () => {
    const refusal = await toRefusal(new Response(null, { status: 426, headers: { Upgrade: "h2c" } }), signal);
    expect([...refusal.fields]).toEqual([["upgrade", "h2c"]]);
  });

  it("reads a streamed body and cuts it at 64 KiB, cancelling the rest", async () => {
    let isCancelled = false;
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(10_000).fill(0x61)),
      cancel: () => {
        isCancelled = true;
      },
    });
    const refusal = await toRefusal(new Response(body, { status: 500 }), signal);
    expect(text(refusal.body)).toBe("a".repeat(64 * 1024));
    expect(isCancelled).toBe(true);
  });

  it("uses what was read when the time is up", async () => {
    const controller = new AbortController();
    const body = new ReadableStream({
      start: (stream) => stream.enqueue(new TextEncoder().encode("half")),
      pull: () => {
        controller.abort();
        return new Promise(() => {});
      },
    });
    const refusal = await toRefusal(new Response(body, { status: 503 }), controller.signal);
    expect(text(refusal.body)).toBe("half");
  });

  it("rejects when the body fails", async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error("disk")) });
    await expect(toRefusal(new Response(body, { status: 500 }), signal)).rejects.toThrow("disk");
  });

  it("rejects with TypeError for a used body and for Response.error()", async () => {
    const used = new Response("x", { status: 400 });
    await used.text();
    await expect(toRefusal(used, signal)).rejects.toThrow(TypeError);
    await expect(toRefusal(Response.error(), signal)).rejects.toThrow(TypeError);
  });
});

describe("isResponse()", () => {
  it("knows a Response, also of another library", () => {
    expect(isResponse(new Response())).toBe(true);
    expect(isResponse({ [Symbol.toStringTag]: "Response" })).toBe(true);
  });

  it.each([undefined, null, {}, { status: 401 }, "Response", 401])("does not take %j for one", (value) => {
    expect(isResponse(value)).toBe(false);
  });
});
