export { CloseCode, isReceivableCloseCode, isScriptCloseCode, isServerCloseCode } from "./protocol/close-code.ts";
export { closeReasonByteLength } from "./protocol/close-frame.ts";
export { secWebSocketAccept } from "./protocol/handshake/accept-key.ts";
export {
  type HandshakeOffer,
  type HandshakeResponse,
  type HandshakeResult,
  validateServerResponse,
  WEBSOCKET_VERSION,
} from "./protocol/handshake/client-handshake.ts";
export {
  HandshakeError,
  type HandshakeErrorCode,
  type HandshakeErrorDetails,
  HandshakeRefusal,
} from "./protocol/handshake/handshake-error.ts";
export type { RawHeaders } from "./protocol/handshake/http-fields.ts";
export {
  type ClientOffer,
  type HandshakeRequest,
  validateClientRequest,
} from "./protocol/handshake/server-handshake.ts";
export {
  createRefusal,
  createServerResponse,
  type FieldPairs,
  type ServerResponseInit,
} from "./protocol/handshake/server-response.ts";
export { DEFAULT_LIMITS } from "./protocol/limits.ts";
export { Opcode } from "./protocol/opcode.ts";
export type { DeflateFilter, Deflater, Inflater, PerMessageDeflateCodec } from "./protocol/permessage-deflate/codec.ts";
export {
  acceptOffer,
  acceptResponse,
  createOffer,
  type PerMessageDeflateOptions,
  type PerMessageDeflateParameters,
} from "./protocol/permessage-deflate/negotiate.ts";
export { ProtocolError } from "./protocol/protocol-error.ts";
export { ReadyState, type ReadyStateEvent, transition } from "./protocol/ready-state.ts";
export type { Role } from "./protocol/role.ts";
export type { Utf8Codec } from "./protocol/utf8.ts";
export { ProtocolEvent, WebSocketProtocol, type WebSocketProtocolOptions } from "./protocol/websocket-protocol.ts";
