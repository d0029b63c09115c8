import "./install.ts";

export { MessageByteLengthStrategy, WebSocketError, WebSocketStream } from "./ponyfill.ts";
