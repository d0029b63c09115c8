export { WebSocketError } from "../../sluice/src/streams/websocket-error.ts";
export { WebSocketStream } from "../../sluice/src/streams/websocket-stream.ts";
export { MessageByteLengthStrategy } from "./strategies.ts";
