export { CloseCode, isReceivableCloseCode, isScriptCloseCode, isServerCloseCode } from "./protocol/close-code.ts";
export { DEFAULT_LIMITS } from "./protocol/limits.ts";
export { Opcode } from "./protocol/opcode.ts";
export type { Deflater, Inflater, PerMessageDeflateCodec } from "./protocol/permessage-deflate/codec.ts";
export { ProtocolError } from "./protocol/protocol-error.ts";
export { ReadyState } from "./protocol/ready-state.ts";
export type { Role } from "./protocol/role.ts";
export type { Utf8Codec } from "./protocol/utf8.ts";
export { ProtocolEvent, WebSocketProtocol, type WebSocketProtocolOptions } from "./protocol/websocket-protocol.ts";
