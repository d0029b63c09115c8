import { toCloseInfo, validateCloseCodeAndReason, type WebSocketCloseInfo } from "./close-info.ts";
import { toDOMString } from "./idl-conversions.ts";

/** Whether a value has the brand of {@link WebSocketError}: never `instanceof`, never duck typing (spec-digest 1.2). */
export let isWebSocketError: (value: unknown) => value is WebSocketError;

/** The platform's own class in a page that has one: its objects count as WebSocketErrors too. */
const nativeError = (globalThis as { WebSocketError?: { prototype?: object } }).WebSocketError?.prototype;

/** The close code and reason of a WebSocketError, ours or the platform's; null for any other value. */
export function readWebSocketError(value: unknown): { closeCode: number | null; reason: string } | null {
  if (isWebSocketError(value)) return { closeCode: value.closeCode, reason: value.reason };
  if (nativeError === undefined) return null;
  try {
    // The getters check the brand; duck typing would not do (spec-digest 1.2).
    return {
      closeCode: Reflect.get(nativeError, "closeCode", value),
      reason: Reflect.get(nativeError, "reason", value),
    };
  } catch {
    return null;
  }
}

/** Makes the engine's own errors: any code a peer may send, 1005 and 1006 too, without validation (spec-digest 1.2). */
export let createWebSocketError: (
  closeCode: number | null,
  reason: string,
  message: string,
  cause: unknown,
) => WebSocketError;

/**
 * The error of a WebSocket connection: what `closed`, the streams and their pending promises reject with when the
 * connection does not end cleanly; and what you pass to `abort()` or `cancel()` to choose the Close frame.
 *
 * Errors that the library makes carry a `cause` on Node: the socket error, the peer's protocol violation, or the failed
 * handshake with its status and headers (D-03).
 *
 * @example
 * ```ts
 * import { WebSocketError } from "sluice";
 *
 * const error = new WebSocketError("queue is full", { closeCode: 4008, reason: "queue is full" });
 * console.log(error.closeCode); // 4008
 * ```
 */
export class WebSocketError extends DOMException {
  #closeCode: number | null;
  #reason: string;

  /**
   * @param message free text for people; nothing may depend on it
   * @param init `closeCode` 1000 or from 3000 to 4999; `reason` at most 123 bytes of UTF-8. A reason without a code means 1000
   * @throws {TypeError} if `closeCode` is not an integer from 0 to 65535
   * @throws {DOMException} InvalidAccessError if the code may not be sent; SyntaxError if the reason is too long
   */
  constructor(message: string = "", init: WebSocketCloseInfo = {}) {
    const text = toDOMString(message);
    const { closeCode, reason } = toCloseInfo(init);
    validateCloseCodeAndReason(closeCode, reason);
    super(text, "WebSocketError");
    // Some Node releases return a plain DOMException here, without the accessors of the subclass.
    if (Object.getPrototypeOf(this) !== new.target.prototype) Object.setPrototypeOf(this, new.target.prototype);
    this.#closeCode = closeCode === null && reason !== "" ? 1000 : closeCode;
    this.#reason = reason;
  }

  /** The peer's close code; 1005 and 1006 as in `CloseEvent`; null where there was no connection or no code was given. */
  get closeCode(): number | null {
    return this.#closeCode;
  }

  /** The reason that came, or goes, with the code; `""` if none. */
  get reason(): string {
    return this.#reason;
  }

  static {
    isWebSocketError = (value): value is WebSocketError =>
      typeof value === "object" && value !== null && #closeCode in value;
    createWebSocketError = (closeCode, reason, message, cause) => {
      const error = new WebSocketError(message);
      error.#closeCode = closeCode;
      error.#reason = reason;
      if (cause !== null && cause !== undefined) {
        Object.defineProperty(error, "cause", { value: cause, configurable: true, enumerable: false, writable: true });
      }
      return error;
    };
    for (const name of ["closeCode", "reason"]) {
      Object.defineProperty(WebSocketError.prototype, name, { enumerable: true });
    }
    Object.defineProperty(WebSocketError.prototype, Symbol.toStringTag, {
      value: "WebSocketError",
      configurable: true,
    });
  }
}
