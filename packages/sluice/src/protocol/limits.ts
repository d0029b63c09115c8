/** Every bound that holds unless an option says otherwise, with its reason. */
export const DEFAULT_LIMITS = {
  /** Largest message accepted, after inflating: what `ws` accepts too, so that programs can move (D-32). */
  maxMessageBytes: 100 * 1024 * 1024,
  /** Fragments of one message, empty ones included: they cost work although they carry nothing (D-32). */
  maxFragments: 131_072,
  /** Largest frame sent: lets Close and Pong in between, and every peer must accept fragments (D-17). */
  maxFrameBytes: 128 * 1024,
  /** Unsent bytes up to which a message counts as sent (S3): keeps a socket busy, and is little to lose. */
  sendLimitBytes: 64 * 1024,
  /** Unparsed input that may wait while an asynchronous inflater holds the parser (R6). */
  inputBufferBytes: 64 * 1024,
  /** Closing handshake without progress (D-15). */
  closeTimeoutMs: 30_000,
  /** From both Close frames to the end of TCP; still clean (D-15). */
  tcpCloseTimeoutMs: 2_000,
  /** How long a failed connection may linger so that its Close frame arrives (T05). */
  lingerMs: 2_000,
} as const;
