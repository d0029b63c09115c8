export type { WebSocketCloseInfo } from "./streams/close-info.ts";
export type { ReadableMessage } from "./streams/message-source.ts";
export type { WritableMessage } from "./streams/message-sink.ts";
export type { ConnectionLimits, WebSocketStreamOptions } from "./streams/options.ts";
export { MessageByteLengthStrategy } from "./streams/strategies.ts";
export { WebSocketError } from "./streams/websocket-error.ts";
export { type StreamMetrics, type WebSocketOpenInfo, WebSocketStream } from "./streams/websocket-stream.ts";
