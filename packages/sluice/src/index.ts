export type { ConnectionCounters } from "./connection/connection.ts";
export { ConnectionError } from "./connection/connection-error.ts";
export type { StreamMetrics } from "./connection/connection-metrics.ts";
export type { KeepaliveOptions } from "./connection/keepalive.ts";
export { CloseEvent, type CloseEventConstructor, type CloseEventInit } from "./legacy/close-event.ts";
export { MessageEvent } from "./legacy/message-event.ts";
export { WebSocket } from "./legacy/websocket.ts";
export type { WebSocketConstructor, WebSocketEventMap, WebSocketInterface } from "./legacy/websocket-interface.ts";
export type { WebSocketOptions } from "./legacy/websocket-options.ts";
export type {
  BroadcastMissedMessage,
  BudgetMessage,
  ConnectionCloseMessage,
  ConnectionOpenMessage,
  DiagnosedConnection,
  DiagnosticsMessages,
  HandshakeFailedMessage,
  HandshakeRefusedMessage,
  KeepaliveMessage,
  LimitMessage,
  RoundTripMessage,
} from "./node/diagnostics.ts";
export { configureZlib, type ZlibSettings } from "./node/zlib-settings.ts";
export { HandshakeError } from "./protocol/handshake/handshake-error.ts";
export type { DeflateFilter } from "./protocol/permessage-deflate/codec.ts";
export type { PerMessageDeflateOptions } from "./protocol/permessage-deflate/negotiate.ts";
export { ProtocolError } from "./protocol/protocol-error.ts";
export type { WebSocketCloseInfo } from "./streams/close-info.ts";
export type { WritableMessage } from "./streams/message-sink.ts";
export type { ReadableMessage } from "./streams/message-source.ts";
export type { ConnectionLimits, WebSocketStreamOptions } from "./streams/options.ts";
export { MessageByteLengthStrategy } from "./streams/strategies.ts";
export { WebSocketError } from "./streams/websocket-error.ts";
export { type WebSocketOpenInfo, WebSocketStream } from "./streams/websocket-stream.ts";
