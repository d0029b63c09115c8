import { realClock } from "#connect";
import type { Connection } from "../connection/connection.ts";

/**
 * The number behind `bufferedAmount` (spec-digest 4.3): payload bytes that `send()` took and the system has not.
 *
 * The engine knows the moment at which the system takes bytes, and that may be in the middle of the caller's task. The
 * standard lets the number fall only between tasks. So while it is held, it shows what had been sent when the task began.
 */
export class BufferedAmount {
  #connection: Connection | null = null;
  /** What the engine was not given: messages behind a Blob, and those that came too late to be sent. */
  #keptBytes = 0;
  /** The engine's count when the number was held, or null. */
  #sentBytesWhenHeld: number | null = null;
  #isReleaseScheduled = false;

  get value(): number {
    const connection = this.#connection;
    if (connection === null) return this.#keptBytes;
    const { queuedBytes, sentPayloadBytes } = connection;
    const hiddenBytes = this.#sentBytesWhenHeld === null ? 0 : sentPayloadBytes - this.#sentBytesWhenHeld;
    return this.#keptBytes + queuedBytes + hiddenBytes;
  }

  /** Counts what this connection takes and sends from now on. */
  attach(connection: Connection): void {
    this.#connection = connection;
  }

  /** The connection has closed: what it has not sent stays. */
  detach(): void {
    this.release();
    this.#keptBytes = this.value;
    this.#connection = null;
  }

  /** Counts bytes that the engine is not given, or takes back what it is given now. */
  keep(byteLength: number): void {
    this.#keptBytes += byteLength;
  }

  /** From here to the end of the running task the number does not fall. To be called before anything that may send. */
  hold(): void {
    if (this.#sentBytesWhenHeld !== null || this.#connection === null) return;
    this.#sentBytesWhenHeld = this.#connection.sentPayloadBytes;
    if (this.#isReleaseScheduled) return;
    this.#isReleaseScheduled = true;
    realClock.endOfTurn(this.#releaseAtEndOfTurn);
  }

  /** A new task begins. */
  release(): void {
    this.#sentBytesWhenHeld = null;
  }

  readonly #releaseAtEndOfTurn = (): void => {
    this.#isReleaseScheduled = false;
    this.release();
  };
}
