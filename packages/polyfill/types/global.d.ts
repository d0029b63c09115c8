import type * as ponyfill from "./ponyfill.js";

declare global {
  var WebSocketStream: typeof ponyfill.WebSocketStream;
  var WebSocketError: typeof ponyfill.WebSocketError;
  interface WebSocketStream extends ponyfill.WebSocketStream {}
  interface WebSocketError extends ponyfill.WebSocketError {}
}
