/** Every bound that holds unless an option says otherwise, with its reason. */
export const DEFAULT_LIMITS = {
  /** Largest message accepted, after inflating: what `ws` accepts too, so that programs can move (D-32). */
  maxMessageBytes: 104_857_600,
  /** Fragments of one message, empty ones included: they cost work although they carry nothing (D-32). */
  maxFragments: 131_072,
  /**
   * Bytes that one byte of a compressed message may become: any number. DEFLATE itself ends at 1,032 to 1, and zeros, blank
   * pixels and runs of one letter come close to it honestly; memory is bounded by `maxMessageBytes`, counted while inflating.
   */
  maxInflateRatio: Number.POSITIVE_INFINITY as number,
  /** What a message may inflate to whatever its ratio: small messages that repeat themselves are no bombs. */
  inflateRatioFloorBytes: 262_144,
  /** Largest frame sent: lets Close and Pong in between, and every peer must accept fragments (D-17). */
  maxFrameBytes: 131_072,
  /** Unsent bytes up to which a message counts as sent (S3): keeps a socket busy, and is little to lose. */
  sendLimitBytes: 65_536,
  /** Unparsed input that may wait while an asynchronous inflater holds the parser (R6). */
  inputBufferBytes: 65_536,
  /** No message in either direction: allowed, since a live peer may have nothing to say; the keepalive finds the dead ones. */
  idleTimeoutMs: Number.POSITIVE_INFINITY as number,
  /** Closing handshake without progress (D-15). */
  closeTimeoutMs: 30_000,
  /** From both Close frames to the end of TCP; still clean (D-15). */
  tcpCloseTimeoutMs: 2_000,
  /** How long a failed connection may linger so that its Close frame arrives (T05). */
  lingerMs: 2_000,
} as const;
