import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { secWebSocketAccept } from "./accept-key.ts";

it("RFC 6455 §1.3: the sample key gives the sample accept value", () => {
  const sha1Base64 = (text: string): string => createHash("sha1").update(text).digest("base64");
  expect(secWebSocketAccept("dGhlIHNhbXBsZSBub25jZQ==", sha1Base64)).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});
