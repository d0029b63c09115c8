import { isWebSocketError } from "../streams/websocket-error.ts";
import { isClosedErrorOf, isPeerCloseError } from "../streams/websocket-stream.ts";
import type { ServerWebSocketStream } from "./server-websocket-stream.ts";

/** Tells about an error that nobody else is told. Never throws. */
export type ReportError = (error: unknown, stream: ServerWebSocketStream | null) => void;

/**
 * Makes the one way in which a server reports. Whatever `onError` does, also asynchronously, it cannot take the process
 * down: that would be a handler's mistake in the hands of a peer.
 */
export function createErrorReporter(
  onError: ((error: unknown, stream: ServerWebSocketStream | null) => unknown) | undefined,
): ReportError {
  if (onError === undefined) return warnUnlessPeerLeft;
  return (error, stream) => {
    try {
      const result = onError(error, stream);
      if (result instanceof Promise) result.catch(warn);
    } catch (secondError) {
      warn(secondError);
    }
  };
}

/**
 * Whether a handler failed only because its connection ended as it should: the peer, or the server's own `drain()`, closed
 * it, both Close frames were exchanged, and the error is the one that the connection's writable has from then on. It is
 * what `readable.pipeTo(writable)` rejects with at the end of every connection, and no fault of anybody.
 *
 * A handler that writes after a close of its own, a write that the Close cut off, and a lost connection are none of this.
 */
export async function isOrdinaryEnd(
  error: unknown,
  stream: ServerWebSocketStream,
  isDrained: boolean,
): Promise<boolean> {
  if (!(isDrained ? isClosedErrorOf(stream, error) : isPeerCloseError(stream, error))) return false;
  try {
    await stream.closed;
    return true;
  } catch {
    return false;
  }
}

/** A peer that goes away is no news, although it makes a handler's reads and writes reject. */
function warnUnlessPeerLeft(error: unknown, stream: ServerWebSocketStream | null): void {
  if (stream !== null && (isWebSocketError(error) || isPeerCloseError(stream, error))) return;
  warn(error);
}

function warn(error: unknown): void {
  const { text, detail } = describe(error);
  const message = `An error in a WebSocket server was not handled (set the option onError): ${text}`;
  process.emitWarning(message, { type: "SluiceWarning", code: "SLUICE_SERVER_ERROR", detail });
}

/** Anything can be thrown, also what a peer sent as JSON; its own `toString` may throw in turn. */
function describe(error: unknown): { text: string; detail: string | undefined } {
  try {
    const stack = error instanceof Error ? error.stack : undefined;
    return { text: String(error), detail: typeof stack === "string" ? stack : undefined };
  } catch {
    return { text: "something that cannot be shown was thrown", detail: undefined };
  }
}
