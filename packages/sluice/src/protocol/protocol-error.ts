/** The peer's fault: bytes that the specification does not allow. One place, `connection.ts`, catches it and fails the connection. */
export class ProtocolError extends Error {
  /** The close code to fail with, e.g. 1002. */
  readonly closeCode: number;
  /** The clause that was broken, e.g. `RFC 6455 §5.5`. */
  readonly section: string;
  /** Stable and machine-readable, e.g. `ERR_SLUICE_INVALID_UTF8`. */
  readonly code: string;
  /** The limit that was exceeded, by the name of its option, or null. */
  readonly limit: string | null;

  constructor(
    closeCode: number,
    message: string,
    details: { section: string; code: string; limit?: string | undefined },
  ) {
    super(message);
    this.name = "ProtocolError";
    this.closeCode = closeCode;
    this.section = details.section;
    this.code = details.code;
    this.limit = details.limit ?? null;
  }
}
