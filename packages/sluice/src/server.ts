export { type BroadcastMiss, type BroadcastOptions, type BroadcastResult, broadcast } from "./server/broadcast.ts";
export type { DrainOptions } from "./server/drain.ts";
export type { ListeningInfo } from "./server/listening.ts";
export type { ServerMetrics } from "./server/metrics.ts";
export type {
  AcceptOptions,
  ConnectionSettings,
  ExistingServerOptions,
  NoServerOptions,
  OwnPortOptions,
  ServerOptions,
  UpgradeOptions,
} from "./server/options.ts";
export type { OriginPolicy } from "./server/origin.ts";
export { HandshakeLostError } from "./server/pending-handshake.ts";
export { UpgradeRefusedError } from "./server/refusal.ts";
export { serve } from "./server/serve.ts";
export { ServerWebSocketStream } from "./server/server-websocket-stream.ts";
export { type ConnectionHandler, WebSocketStreamServer } from "./server/websocket-stream-server.ts";
export type { WebSocketCloseInfo } from "./streams/close-info.ts";
export { MessageByteLengthStrategy } from "./streams/strategies.ts";
export { WebSocketError } from "./streams/websocket-error.ts";
