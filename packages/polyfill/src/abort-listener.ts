/** Calls `listener` once when `signal` aborts, also where another listener stops the event's propagation. */
export function addAbortListener(signal: AbortSignal, listener: () => void): Disposable {
  // A dependent signal is aborted by the abort algorithm itself, not by the event. Engines of before 2023 lack any().
  const own = typeof AbortSignal.any === "function" ? AbortSignal.any([signal]) : signal;
  own.addEventListener("abort", listener, { once: true });
  return { [Symbol.dispose]: () => own.removeEventListener("abort", listener) };
}
