export { MessageByteLengthStrategy } from "../../sluice/src/streams/strategies.ts";
export { WebSocketError } from "../../sluice/src/streams/websocket-error.ts";
export { WebSocketStream } from "../../sluice/src/streams/websocket-stream.ts";
