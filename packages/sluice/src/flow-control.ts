export * from "./flow-control/credit-codec.ts";
export * from "./flow-control/flow-connection.ts";
export {
  DEFAULT_MAX_WINDOW_BYTES,
  DEFAULT_WINDOW_BYTES,
  INITIAL_CREDIT,
  MAX_PIECE_BYTES,
  PIECE_OVERHEAD,
} from "./flow-control/flow-limits.ts";
export {
  carriedProtocol,
  FLOW_PROTOCOL,
  offerFlowProtocols,
  plainProtocols,
  selectFlowProtocol,
} from "./flow-control/flow-protocol-name.ts";
export type { MessageCodec } from "./flow-control/message-codec.ts";
