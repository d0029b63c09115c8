import { afterEach, describe, expect, it, vi } from "vitest";
import { getURLRecord, validateProtocols } from "./url-record.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

function nameOfError(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof DOMException) return error.name;
    throw error;
  }
  throw new Error("The call must throw");
}

describe("spec-digest 2.3 get a URL record", () => {
  it.each([
    ["ws://h", "ws://h/"],
    ["wss://h:443/a?b", "wss://h/a?b"],
    ["http://h:80/", "ws://h/"],
    ["https://h/", "wss://h/"],
    ["http://h:443/", "ws://h:443/"],
    ["https://h:80/", "wss://h:80/"],
    [" \tWS://H/ \n", "ws://h/"],
    ["ws://user:pass@h/", "ws://user:pass@h/"],
    // RFC 6455 §11.1: "MUST be converted from Unicode to ASCII", a host by IDNA, the rest percent-encoded as UTF-8.
    ["ws://bücher.example/ü?ü=ü", "ws://xn--bcher-kva.example/%C3%BC?%C3%BC=%C3%BC"],
    // RFC 6455 §3: a # that begins no fragment is escaped.
    ["ws://h/%23?%23", "ws://h/%23?%23"],
    ["ws://h?", "ws://h/?"],
    ["ws://[::1]:80/", "ws://[::1]/"],
  ])("%j is %s", (url, href) => {
    expect(getURLRecord(url).href).toBe(href);
  });

  it.each(["", "h", "/path", "//h/", "ws:", "ws://", "ws:///", "ws://h:99999/", "ws://a b/", "ftp://h/", "mailto:a@h"])(
    "%j is a SyntaxError where there is no base",
    (url) => {
      expect(nameOfError(() => getURLRecord(url))).toBe("SyntaxError");
    },
  );

  it.each(["ws://h/#", "ws://h/#f", "ws://h/?#", "http://h/#"])("%j is a SyntaxError, as fragments are", (url) => {
    expect(nameOfError(() => getURLRecord(url))).toBe("SyntaxError");
  });

  it("a relative one is resolved against a worker's location, and a document's base in front of that", () => {
    vi.stubGlobal("location", { href: "https://example.com/app/page?x#f" });
    expect(getURLRecord("socket").href).toBe("wss://example.com/app/socket");
    expect(getURLRecord("/socket").href).toBe("wss://example.com/socket");
    expect(getURLRecord("//other/").href).toBe("wss://other/");
    expect(nameOfError(() => getURLRecord("#f"))).toBe("SyntaxError");
    vi.stubGlobal("document", { baseURI: "http://base.example/" });
    expect(getURLRecord("socket").href).toBe("ws://base.example/socket");
  });
});

describe("spec-digest 2.4 validate protocols", () => {
  it("takes every character of a token, and no other", () => {
    const isTaken = (code: number): boolean => {
      try {
        validateProtocols([`a${String.fromCharCode(code)}`]);
        return true;
      } catch {
        return false;
      }
    };
    const taken = Array.from({ length: 0x180 }, (_, code) => code).filter(isTaken);
    // RFC 6455 §4.1 (10): U+0021 to U+007E, without the separators of RFC 2616.
    const legal = Array.from({ length: 0x7f - 0x21 }, (_, i) => i + 0x21).filter(
      (code) => !'()<>@,;:\\"/[]?={}'.includes(String.fromCharCode(code)),
    );
    expect(taken).toEqual(legal);
  });

  it.each([[[""]], [["a", "a"]], [["a", "b", "A"]], [["a\n"]], [["é"]]])("%j is a SyntaxError", (protocols) => {
    expect(nameOfError(() => validateProtocols(protocols))).toBe("SyntaxError");
  });

  it("takes none, and several that differ", () => {
    expect(() => validateProtocols([])).not.toThrow();
    expect(() => validateProtocols(["a", "b", "aa"])).not.toThrow();
  });
});
