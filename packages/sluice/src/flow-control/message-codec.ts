import type { CreditAccounts } from "../connection/connection.ts";
import type { CreditEvent } from "./credit-codec.ts";

/** What stands between a connection's wire messages and the application's: {@link CreditCodec}, or one without credit. */
export interface MessageCodec {
  /** The message of the last MESSAGE event, and its payload bytes. */
  readonly message: string | Uint8Array<ArrayBuffer>;
  readonly messageByteLength: number;
  /** What either side may send; null without credit. */
  readonly accounts: CreditAccounts | null;
  /** Payload bytes that arrived and that nobody has taken. */
  readonly queuedBytes: number;
  /** Whole messages that nobody has taken. */
  readonly queuedMessages: number;
  /** Whether the message given to {@link send} is not wholly taken. */
  readonly isSending: boolean;
  /** Whether more may be read from below. Always true where credit limits the peer. */
  readonly wantsInput: boolean;
  /**
   * Takes one wire message, whose payload is `wireLength` bytes; negative where the caller does not know.
   *
   * @throws {ProtocolError} what the connection fails with
   */
  receive(wire: string | Uint8Array<ArrayBuffer>, now: number, wireLength?: number): void;
  next(isMessageWanted: boolean): CreditEvent;
  discard(): void;
  send(message: string | Uint8Array): void;
  retain(): void;
  /** No message follows; the peer's still come. */
  end(): void;
  /** Asks the peer for an answer with the same token. */
  ping(token: string): void;
  takeRecord(): string | null;
  takeData(): string | Uint8Array | null;
}
