import { isWebSocketError } from "../streams/websocket-error.ts";
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

/** A peer that goes away is no news, although it makes a handler's reads and writes reject. */
function warnUnlessPeerLeft(error: unknown, stream: ServerWebSocketStream | null): void {
  const isClosedWrite = error instanceof DOMException && error.name === "InvalidStateError";
  if (stream !== null && (isWebSocketError(error) || isClosedWrite)) return;
  warn(error);
}

function warn(error: unknown): void {
  const detail = error instanceof Error ? error.stack : undefined;
  const message = `An error in a WebSocket server was not handled (set the option onError): ${String(error)}`;
  process.emitWarning(message, { type: "SluiceWarning", code: "SLUICE_SERVER_ERROR", detail });
}
