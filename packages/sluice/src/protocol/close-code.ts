/** Registered close codes (RFC 6455 §7.4.1 and the registry of §11.7). */
export const CloseCode = {
  NORMAL: 1000,
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  UNSUPPORTED_DATA: 1003,
  /** Never on the wire: a Close frame without a body was received. */
  NO_STATUS_RECEIVED: 1005,
  /** Never on the wire: no Close frame was received. */
  ABNORMAL_CLOSURE: 1006,
  INVALID_FRAME_PAYLOAD_DATA: 1007,
  POLICY_VIOLATION: 1008,
  MESSAGE_TOO_BIG: 1009,
  MANDATORY_EXTENSION: 1010,
  INTERNAL_ERROR: 1011,
  SERVICE_RESTART: 1012,
  TRY_AGAIN_LATER: 1013,
  BAD_GATEWAY: 1014,
  /** Never on the wire. */
  TLS_HANDSHAKE: 1015,
} as const;
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

/** Whether a peer may send this code: 1000-1003, 1007-1014, 3000-4999 (RFC 6455 §7.4, D-18). */
export function isReceivableCloseCode(code: number): boolean {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/** Whether the web classes may send this code: 1000, 3000-4999 (spec-digest 2.11). */
export function isScriptCloseCode(code: number): boolean {
  return code === 1000 || (code >= 3000 && code <= 4999);
}

/** Whether a server's own API may send this code: also 1001, 1003, 1007-1009, 1011-1014 (spec-digest 5.5). */
export function isServerCloseCode(code: number): boolean {
  return isReceivableCloseCode(code) && code !== CloseCode.PROTOCOL_ERROR && code !== CloseCode.MANDATORY_EXTENSION;
}
