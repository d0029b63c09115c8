import { constants } from "node:zlib";
import { CloseCode } from "../protocol/close-code.ts";
import { ProtocolError } from "../protocol/protocol-error.ts";

/** The peer's fault: what it sent is no DEFLATE data, or not all of it (RFC 7692 §7.2.2, spec-digest E22). */
export function corruptDataError(detail: string): ProtocolError {
  return new ProtocolError(CloseCode.INVALID_FRAME_PAYLOAD_DATA, `Cannot inflate the message as ${detail}`, {
    section: "RFC 7692 §7.2.2",
    code: "ERR_SLUICE_INVALID_DEFLATE_DATA",
  });
}

/** The peer's fault: the message grew past its limit while it was inflated (RFC 7692 §8, spec-digest E24). */
export function tooBigError(): ProtocolError {
  return new ProtocolError(
    CloseCode.MESSAGE_TOO_BIG,
    "Cannot inflate the message as it is larger than maxMessageBytes",
    {
      section: "RFC 7692 §8",
      code: "ERR_SLUICE_MESSAGE_TOO_BIG",
      limit: "maxMessageBytes",
    },
  );
}

/** What a failure of zlib means: corrupt data is the peer's fault, everything else is ours (1011, no detail on the wire). */
export function inflateFailure(error: unknown): Error {
  if (error instanceof ProtocolError) return error;
  if (error instanceof Error && "errno" in error) {
    if (error.errno === constants.Z_DATA_ERROR || error.errno === constants.Z_NEED_DICT) {
      return corruptDataError(`its data is corrupt: ${error.message}`);
    }
  }
  return zlibFailure(error);
}

/** Our fault, or the system's: no memory, a context closed under a job. */
export function zlibFailure(error: unknown): Error {
  const detail = error instanceof Error ? error.message : String(error);
  return Object.assign(new Error(`Cannot go on compressing as zlib failed: ${detail}`, { cause: error }), {
    code: "ERR_SLUICE_ZLIB",
  });
}
