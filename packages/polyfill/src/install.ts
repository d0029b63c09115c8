import { WebSocketError, WebSocketStream } from "./ponyfill.ts";

/** Puts on the global object what it lacks, as Web IDL defines interfaces: writable, configurable, not enumerable. */
for (const [name, value] of Object.entries({ WebSocketError, WebSocketStream })) {
  if (name in globalThis) continue;
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}
