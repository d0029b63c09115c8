/** Credit that each side has when the connection opens, before any grant: no round trip is spent on asking. */
export const INITIAL_CREDIT = 65_536;

/** Largest payload of one data message on the wire, in bytes. Longer messages travel in pieces, so that control records pass between them. */
export const MAX_PIECE_BYTES = 65_536;

/** Charged per data message beside its payload, so that empty messages cost too. About what an engine spends on keeping one. */
export const PIECE_OVERHEAD = 128;

/** A grant never lifts a sender above this: sums stay exact in every language. */
export const MAX_CREDIT = 2_147_483_647;

/**
 * Default window, in bytes. Measured server to page, 16 KiB messages: 256 KiB costs a third to a half of the throughput
 * of a socket without credit, 1 MiB between nothing and a third.
 */
export const DEFAULT_WINDOW_BYTES = 1_048_576;

/** Default cap for a growing window: 40 MB/s at a round trip of 100 ms. */
export const DEFAULT_MAX_WINDOW_BYTES = 4_194_304;

/** D-32: limits of one message, however many pieces it has. */
export const DEFAULT_MAX_MESSAGE_BYTES = 104_857_600;
export const DEFAULT_MAX_PIECES = 131_072;

/** Longest token of a heartbeat, in UTF-16 code units. */
export const MAX_TOKEN_LENGTH = 32;

/** A sender that was out of credit for this long while we waited for data is held back by the window, not by us. */
export const GROWTH_IDLE_MS = 4;
