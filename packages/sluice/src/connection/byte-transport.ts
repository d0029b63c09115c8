/**
 * Seam 1: an ordered, reliable pair of byte streams with demand and truthful acceptance.
 *
 * Everything below the engine is behind this interface: TCP, TLS, an HTTP/2 stream, the memory transport of the tests.
 * Two facts must be exact, since the library's byte bound rests on them: after `pause()` the transport reads nothing more
 * from the system than the chunk it is handing over, and `unsentBytes` never counts a byte as accepted that the
 * system has not taken.
 */
export interface ByteTransport {
  /** Bytes passed to {@link write} that the system (the kernel, for a socket) has not accepted yet. */
  readonly unsentBytes: number;
  /** Bytes read from the system and not handed over yet, as a paused stream may hold (at most one chunk, RX4). */
  readonly unreadBytes: number;
  /** Address of the peer, or `""` where there is none. What was asked for once is known also afterwards. */
  readonly remoteAddress: string;
  /**
   * Starts delivery. Called once, before any other method. Nothing is read before {@link resume}: a transport starts
   * paused. The listener's methods are never called from inside `start`.
   */
  start(listener: ByteTransportListener): void;
  /**
   * Sends bytes after all earlier ones. Never throws; after the end of the transport it does nothing.
   *
   * @returns true if the system took all of it before the call returned: the caller may use the memory again. False if
   *   the transport keeps a reference until {@link ByteTransportListener.onAccepted} has counted these bytes.
   */
  write(bytes: Uint8Array): boolean;
  /** Stops reading. No `onData` follows, also none for bytes that the system already had. */
  pause(): void;
  /** Starts reading, or starts again. `onData` is never called from inside `resume`. */
  resume(): void;
  /** Ends the sending side after all bytes written so far (FIN, close_notify, END_STREAM). Reading goes on. */
  end(): void;
  /** Ends both sides at once and drops unsent bytes. `onClose` follows in a later task. */
  destroy(): void;
  /** Whether this transport keeps the process alive. Does nothing where there is no process. */
  setReferenced(isReferenced: boolean): void;
}

export interface ByteTransportListener {
  /**
   * Bytes arrived. The receiver may overwrite them (frames are unmasked in place). With `isBorrowed` the memory is used
   * again after the turn, so what is kept beyond `Clock.endOfTurn` must be copied.
   */
  onData(chunk: Uint8Array, isBorrowed: boolean): void;
  /** `byteLength` more bytes of what was written were accepted by the system (never called for a `write` that returned true). */
  onAccepted(byteLength: number): void;
  /** The peer ended its sending side (FIN). No `onData` follows. */
  onEnd(): void;
  /** The transport is gone, in both directions. Called exactly once, last. `error` is what broke it, or null. */
  onClose(error: Error | null): void;
}
