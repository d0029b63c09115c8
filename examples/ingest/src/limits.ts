// What the library promises to hold at most for one connection, with the settings of this example.
import { MAX_MESSAGE_BYTES } from "./wire.ts";

/** What the readable side of the server's end, and the writable side of the client's end, may queue. */
export const HIGH_WATER_MARK_BYTES: number = 64 * 1024;
/** Unsent bytes up to which a write counts as done. */
export const SEND_LIMIT_BYTES: number = 64 * 1024;

/** Inward: the readable's queue, one message in assembly, and 128 KiB for a chunk of the socket and for control frames. */
export const BOUND_IN_BYTES: number = HIGH_WATER_MARK_BYTES + MAX_MESSAGE_BYTES + 128 * 1024;
/** Outward: the writable's queue, one message, the send limit, and 256 KiB. */
export const BOUND_OUT_BYTES: number = HIGH_WATER_MARK_BYTES + MAX_MESSAGE_BYTES + SEND_LIMIT_BYTES + 256 * 1024;
