/** Takes the place of protocol/close-frame.ts in the bundle: frames are the browser's. */
export { utf8Length as closeReasonByteLength } from "../../sluice/src/flow-control/utf8-length.ts";
