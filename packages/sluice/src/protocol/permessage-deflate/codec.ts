/**
 * The compressors that a connection is given (RFC 7692). The protocol core knows no zlib: an {@link Inflater} and a
 * {@link Deflater} come from the runtime's adapter, already set up with the negotiated parameters.
 *
 * Each call is answered at once or with a promise; while a promise is open no further call is made (E25 order).
 */
export interface Inflater {
  /**
   * Inflates the next slice of a compressed message's payload.
   *
   * @param input the slice; read before the call returns, never changed
   * @param isFinal true with the last slice of the message: the codec appends `00 00 ff ff` (RFC 7692 §7.2.2) and, without
   *   context takeover, starts afresh afterwards
   * @param maxOutputBytes how much this message may still grow
   * @returns at once: bytes that may stand in memory shared by all inflaters, to be decoded or copied before anything else is
   *   called; as a promise: memory that the caller owns
   * @throws {ProtocolError} 1007 for corrupt data, 1009 when the output would exceed `maxOutputBytes` (counted while inflating)
   */
  inflate(input: Uint8Array, isFinal: boolean, maxOutputBytes: number): Uint8Array | Promise<Uint8Array>;
  /** Bytes of memory held by the context, for the byte bound. */
  readonly heldBytes: number;
  /** Frees the context. No call follows. */
  close(): void;
}

/** Whether the application wants this message compressed. It keeps and changes nothing of it. */
export type DeflateFilter = (message: string | Uint8Array) => boolean;

export interface Deflater {
  /** Whether a message of this size is worth compressing under the negotiated parameters (E27, E28). */
  shouldDeflate(byteLength: number): boolean;
  /** Asked once about each message that {@link shouldDeflate} is true for, before it is queued. Never throws. @defaultValue all */
  readonly filter?: DeflateFilter | undefined;
  /**
   * Deflates a whole message: sync flush, the trailing `00 00 ff ff` removed (RFC 7692 §7.2.1); empty input gives `00`.
   *
   * @param input read before the call returns or the promise settles, never changed
   * @returns memory that the caller owns, to be sent with RSV1 set; or null if compressing does not make the message smaller
   *   and nothing was kept of it: then it is sent as it is, with RSV1 clear. Never null where the context is kept (the
   *   compressor has moved on, so its output must be sent)
   */
  deflate(input: Uint8Array): Uint8Array | null | Promise<Uint8Array | null>;
  readonly heldBytes: number;
  close(): void;
}

/** Both directions of one connection. */
export interface PerMessageDeflateCodec {
  readonly inflater: Inflater;
  readonly deflater: Deflater;
}
