/**
 * Calls `listener` once when `signal` aborts, also where another listener stops the event's propagation.
 *
 * @returns ends that
 */
export function addAbortListener(signal: AbortSignal, listener: () => void): () => void {
  // A dependent signal is aborted by the abort algorithm itself, not by the event. Engines of before 2023 lack any().
  const own = AbortSignal.any?.([signal]) ?? signal;
  own.addEventListener("abort", listener, { once: true });
  return () => own.removeEventListener("abort", listener);
}
