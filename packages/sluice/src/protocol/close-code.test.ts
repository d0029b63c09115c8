import { describe, expect, it } from "vitest";
import { isReceivableCloseCode, isScriptCloseCode, isServerCloseCode } from "./close-code.ts";

/** Which of 0 to 65,535 are accepted, as ranges. */
function rangesOf(accepts: (code: number) => boolean): string {
  const ranges: string[] = [];
  for (let code = 0; code <= 65_535; code++) {
    if (!accepts(code)) continue;
    const first = code;
    while (accepts(code + 1) && code < 65_535) code++;
    ranges.push(first === code ? `${first}` : `${first}-${code}`);
  }
  return ranges.join(" ");
}

describe("RFC 6455 §7.4 close codes", () => {
  it("a peer may send those that are defined for the wire, registered or private", () => {
    expect(rangesOf(isReceivableCloseCode)).toBe("1000-1003 1007-1014 3000-4999");
  });

  it("a script may send 1000 and those that are registered or private", () => {
    expect(rangesOf(isScriptCloseCode)).toBe("1000 3000-4999");
  });

  it("a server's application may also give its own reasons, but not claim a fault of the protocol", () => {
    expect(rangesOf(isServerCloseCode)).toBe("1000-1001 1003 1007-1009 1011-1014 3000-4999");
  });
});
