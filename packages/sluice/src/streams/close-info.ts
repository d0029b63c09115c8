import { isScriptCloseCode, isServerCloseCode } from "../protocol/close-code.ts";
import { closeReasonByteLength } from "../protocol/close-frame.ts";
import { toDictionary, toEnforcedUnsignedShort, toUSVString } from "./idl-conversions.ts";

/** The longest reason that fits into a Close frame behind the code (RFC 6455 §5.5, §5.5.1). */
const MAX_REASON_BYTES = 123;

/** `WebSocketCloseInfo`: what `close()` takes and what `closed` fulfils with (there `closeCode` is always present). */
export interface WebSocketCloseInfo {
  closeCode?: number;
  reason?: string;
}

/** Converts a `WebSocketCloseInfo` dictionary: members are read once, in lexicographic order. */
export function toCloseInfo(value: unknown): { closeCode: number | null; reason: string } {
  const dictionary = toDictionary(value, "closeInfo");
  const { closeCode } = dictionary;
  const code = closeCode === undefined ? null : toEnforcedUnsignedShort(closeCode, "closeCode");
  const { reason } = dictionary;
  return { closeCode: code, reason: reason === undefined ? "" : toUSVString(reason) };
}

/**
 * _Validate close code and reason_, shared by `close()` of both classes and the WebSocketError constructor.
 *
 * @throws {DOMException} InvalidAccessError if the code is neither 1000 nor from 3000 to 4999; SyntaxError if the reason is
 *   longer than 123 bytes of UTF-8. The code is checked first.
 */
export function validateCloseCodeAndReason(closeCode: number | null, reason: string): void {
  if (closeCode !== null && !isScriptCloseCode(closeCode)) {
    throw new DOMException(
      `Cannot close with this code as it must be 1000 or from 3000 to 4999: current code is ${closeCode}`,
      "InvalidAccessError",
    );
  }
  validateReason(reason);
}

/** The same for a server, which may also say why the service ends (spec-digest 5.5): 1001, 1003, 1007-1009, 1011-1014. */
export function validateServerCloseCodeAndReason(closeCode: number | null, reason: string): void {
  if (closeCode !== null && !isServerCloseCode(closeCode)) {
    throw new DOMException(
      `Cannot close with this code as it must be 1000, 1001, 1003, 1007-1009, 1011-1014 or from 3000 to 4999: current code is ${closeCode}`,
      "InvalidAccessError",
    );
  }
  validateReason(reason);
}

function validateReason(reason: string): void {
  // A UTF-16 unit is at most three bytes of UTF-8: short reasons need no count.
  if (reason.length * 3 <= MAX_REASON_BYTES) return;
  const byteLength = closeReasonByteLength(reason);
  if (byteLength > MAX_REASON_BYTES) {
    throw new DOMException(
      `Cannot close with this reason as it must be at most ${MAX_REASON_BYTES} bytes of UTF-8: current length is ${byteLength}`,
      "SyntaxError",
    );
  }
}
