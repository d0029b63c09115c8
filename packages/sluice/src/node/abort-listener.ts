import { addAbortListener as addNodeAbortListener } from "node:events";

/** Calls `listener` once when `signal` aborts, also where another listener stops the event's propagation. */
export function addAbortListener(signal: AbortSignal, listener: () => void): Disposable {
  return addNodeAbortListener(signal, listener);
}
