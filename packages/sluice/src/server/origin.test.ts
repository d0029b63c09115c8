import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { createOriginCheck, type OriginPolicy } from "./origin.ts";

function request(headers: Record<string, string>, isEncrypted = false): IncomingMessage {
  const socket = new Socket();
  if (isEncrypted) {
    Object.assign(socket, { encrypted: true });
  }
  const message = new IncomingMessage(socket);
  message.rawHeaders = Object.entries(headers).flat();
  return message;
}

function check(policy: OriginPolicy, headers: Record<string, string>, isEncrypted = false): boolean | Promise<boolean> {
  return createOriginCheck(policy)(request(headers, isEncrypted));
}

describe('RFC 6455 §10.2 origins: "same-host"', () => {
  const rows: [origin: string, host: string, transport: "plain" | "tls", isAllowed: boolean][] = [
    ["http://example.com", "example.com", "plain", true],
    ["http://example.com", "example.com:80", "plain", true],
    ["http://EXAMPLE.com", "example.COM", "plain", true],
    ["http://example.com:8080", "example.com:8080", "plain", true],
    ["http://example.com:8080", "example.com:08080", "plain", true],
    ["http://localhost:3000", "localhost:3000", "plain", true],
    ["http://[::1]:3000", "[::1]:3000", "plain", true],
    ["http://[0:0:0:0:0:0:0:1]:3000", "[::1]:3000", "plain", true],
    ["http://xn--mnchen-3ya.example", "münchen.example", "plain", true],
    // A proxy in front ended TLS and passed Host on.
    ["https://example.com", "example.com", "plain", true],
    ["https://example.com", "example.com:443", "plain", true],
    ["https://example.com", "example.com", "tls", true],
    ["https://example.com:8443", "example.com:8443", "tls", true],
    // A page that came over plain http must not reach the TLS port.
    ["http://example.com", "example.com", "tls", false],
    ["http://example.com", "example.com:443", "tls", false],
    ["https://example.com", "example.com:80", "plain", false],
    ["http://example.com", "example.com:8080", "plain", false],
    ["http://example.com:8080", "example.com", "plain", false],
    ["http://example.com", "sub.example.com", "plain", false],
    ["http://example.com.evil.test", "example.com", "plain", false],
    ["http://evil.test", "localhost:3000", "plain", false],
    ["http://localhost:5173", "localhost:3000", "plain", false],
    ["null", "example.com", "plain", false],
    ["null", "null", "plain", false],
    ["file://", "example.com", "plain", false],
    ["chrome-extension://example.com", "example.com", "plain", false],
    ["http://example.com/path", "example.com", "plain", false],
    ["http://user@example.com", "example.com", "plain", false],
    ["http://example.com, http://evil.test", "example.com", "plain", false],
    ["", "example.com", "plain", false],
    ["http://example.com", "evil.test@example.com", "plain", false],
    ["http://example.com", "example.com/x", "plain", false],
    ["http://example.com", "", "plain", false],
    ["http://example.com", "exa mple.com", "plain", false],
    ["http://example.com", "example.com:99999", "plain", false],
  ];
  it.each(rows)("Origin %j for Host %j on a %s socket: %j", (origin, host, transport, isAllowed) => {
    expect(check("same-host", { origin, host }, transport === "tls")).toBe(isAllowed);
  });

  it("allows a request without an Origin field", () => {
    expect(check("same-host", { host: "example.com" })).toBe(true);
  });

  it("refuses two Origin fields", () => {
    const message = request({});
    message.rawHeaders = ["Host", "example.com", "Origin", "http://example.com", "Origin", "http://example.com"];
    expect(createOriginCheck("same-host")(message)).toBe(false);
  });

  it("does not trust X-Forwarded-Host", () => {
    const headers = { origin: "http://evil.test", host: "example.com", "x-forwarded-host": "evil.test" };
    expect(check("same-host", headers)).toBe(false);
  });
});

describe("RFC 6455 §10.2 origins: list", () => {
  const list = ["https://example.com", "http://localhost:5173", "chrome-extension://AbCdef"];
  it.each([
    ["https://example.com", true],
    ["HTTPS://Example.com:443", true],
    ["http://localhost:5173", true],
    ["chrome-extension://abcdef", true],
    ["http://example.com", false],
    ["https://example.com:8443", false],
    ["https://example.com.evil.test", false],
    ["https://sub.example.com", false],
    ["null", false],
    ["nonsense", false],
  ])("Origin %j: %j", (origin, isAllowed) => {
    expect(check(list, { origin, host: "other.test" })).toBe(isAllowed);
  });

  it("allows the opaque origin only when the list has it", () => {
    expect(check(["null"], { origin: "null" })).toBe(true);
  });

  it("allows a request without an Origin field", () => {
    expect(check(list, {})).toBe(true);
  });

  it.each(["example.com", "https://example.com/", "", "*"])("throws TypeError for the entry %j", (entry) => {
    expect(() => createOriginCheck([entry])).toThrow(TypeError);
  });
});

describe("RFC 6455 §10.2 origins: function and others", () => {
  it("passes origin and request on", () => {
    const seen: unknown[] = [];
    const message = request({ origin: "http://a.test" });
    createOriginCheck((...given) => {
      seen.push(...given);
      return true;
    })(message);
    expect(seen).toEqual(["http://a.test", message]);
  });

  it("does not ask without an Origin field", () => {
    expect(
      check(() => {
        throw new Error("asked");
      }, {}),
    ).toBe(true);
  });

  it("allows only for exactly true, also from a promise", async () => {
    const headers = { origin: "http://a.test" };
    const truthy = (() => "yes") as unknown as (origin: string) => boolean;
    expect(check(truthy, headers)).toBe(false);
    expect(await check(async () => false, headers)).toBe(false);
    expect(await check(async () => true, headers)).toBe(true);
  });

  it('"*" allows every origin', () => {
    expect(check("*", { origin: "null" })).toBe(true);
  });

  it("throws TypeError for anything else", () => {
    expect(() => createOriginCheck("same-site" as unknown as OriginPolicy)).toThrow(
      'Option origins must be "same-host", "*", a list of origins, or a function',
    );
  });
});
