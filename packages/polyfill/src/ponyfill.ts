export { WebSocketError } from "../../sluice/src/streams/websocket-error.ts";
export { MessageByteLengthStrategy } from "./strategies.ts";
export { WebSocketStream } from "./websocket-stream.ts";
