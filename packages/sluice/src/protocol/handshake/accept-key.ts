/** RFC 6455 §1.3: proves that the server read this very request. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * The value of `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2 step 5.4).
 *
 * @param sha1Base64 base64 of the SHA-1 hash of an ASCII string; given, since the protocol knows no runtime
 * @example
 * secWebSocketAccept("dGhlIHNhbXBsZSBub25jZQ==", sha1Base64); // "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
 */
export function secWebSocketAccept(key: string, sha1Base64: (text: string) => string): string {
  return sha1Base64(key + GUID);
}
