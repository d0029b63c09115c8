import { MAX_MESSAGE_BYTES } from "./messages.ts";
import type { Kind } from "./plan.ts";

/** The window of connections with credit, which never grows here. */
export const CREDIT_WINDOW_BYTES = 262_144;

/** What one connection may hold at most. */
export interface HeldBounds {
  readonly in: number;
  readonly out: number;
}

/**
 * The published bound: in, the readable's queue (one message), one message in assembly and 128 KiB; out, one message, the
 * send limit (64 KiB) and 256 KiB. With credit the window, and one piece that may pass it, come on top of the first.
 */
export function heldBounds(kind: Kind): HeldBounds {
  const window = kind === "credit" ? CREDIT_WINDOW_BYTES + 65_535 : 0;
  return { in: 2 * MAX_MESSAGE_BYTES + 131_072 + window, out: MAX_MESSAGE_BYTES + 65_536 + 262_144 };
}
