import { hash } from "node:crypto";

/** The hash behind `Sec-WebSocket-Accept` (RFC 6455 §4.2.2), in the one call that is twice as fast as a Hash object. */
export function sha1Base64(text: string): string {
  return hash("sha1", text, "base64");
}
