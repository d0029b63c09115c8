/** The four states, numbered as in the WebSocket interface. */
export const ReadyState = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const;
export type ReadyState = (typeof ReadyState)[keyof typeof ReadyState];

/**
 * What moves a connection on: the opening handshake succeeded; either side started the closing handshake, or the connection
 * is being failed; the connection is gone.
 */
export type ReadyStateEvent = "established" | "closeStarted" | "closed";

/** WebSockets standard, "ready state" and its changes. What is not in here does not happen. */
const TRANSITIONS: Readonly<Record<ReadyState, { readonly [event in ReadyStateEvent]?: ReadyState }>> = {
  [ReadyState.CONNECTING]: {
    established: ReadyState.OPEN,
    // close() during the opening handshake fails the connection, which takes its time.
    closeStarted: ReadyState.CLOSING,
    closed: ReadyState.CLOSED,
  },
  [ReadyState.OPEN]: {
    closeStarted: ReadyState.CLOSING,
    // The transport was lost, without a closing handshake (RFC 6455 §7.1.5: 1006).
    closed: ReadyState.CLOSED,
  },
  [ReadyState.CLOSING]: {
    // RFC 6455 §5.5.1: both sides may send a Close frame at the same time.
    closeStarted: ReadyState.CLOSING,
    closed: ReadyState.CLOSED,
  },
  [ReadyState.CLOSED]: {},
};

/**
 * The state after `event`.
 *
 * @throws {Error} if the event cannot happen in this state: our own fault
 */
export function transition(state: ReadyState, event: ReadyStateEvent): ReadyState {
  const next = TRANSITIONS[state][event];
  if (next === undefined) throw new Error(`Cannot apply "${event}" as it does not exist in ready state ${state}`);
  return next;
}
