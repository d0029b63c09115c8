import type { Connection } from "../connection/connection.ts";
import { ConnectionError } from "../connection/connection-error.ts";
import { CloseCode } from "../protocol/close-code.ts";
import { ReadyState } from "../protocol/ready-state.ts";
import { BufferedAmount } from "./buffered-amount.ts";
import { getByteLength, type SendData } from "./send-data.ts";

/**
 * What `send()` took, in its order. A Blob is read asynchronously; what comes behind it waits here, all else goes to the
 * engine at once, whose queue has no bound for this API (S9).
 */
export class OutgoingMessages {
  readonly #amount: BufferedAmount = new BufferedAmount();
  readonly #maxBufferedBytes: number;
  #connection: Connection | null = null;
  /** What waits behind the Blob that is being read. */
  #waiting: SendData[] = [];
  #isSendingWaiting = false;
  #onDrained: (() => void) | null = null;

  constructor(maxBufferedBytes: number) {
    this.#maxBufferedBytes = maxBufferedBytes;
  }

  get bufferedAmount(): number {
    return this.#amount.value;
  }

  attach(connection: Connection): void {
    this.#connection = connection;
    this.#amount.attach(connection);
  }

  /**
   * The connection has closed; what comes now is only counted.
   *
   * @returns whether messages were lost that the engine had not been given yet, which makes the close unclean
   */
  detach(): boolean {
    this.#connection = null;
    this.#waiting = [];
    this.#onDrained = null;
    this.#amount.detach();
    return this.#isSendingWaiting;
  }

  /** A task of its own begins: `bufferedAmount` may fall. */
  startTask(): void {
    this.#amount.release();
  }

  /** Queues a message if the socket is open, and counts it in any case. Bytes are copied unless they are sent at once. */
  send(data: SendData, isOpen: boolean): void {
    const connection = this.#connection;
    if (!isOpen || connection === null || connection.readyState !== ReadyState.OPEN) {
      this.#amount.keep(getByteLength(data));
      return;
    }
    if (this.#maxBufferedBytes !== Number.POSITIVE_INFINITY && this.#isFull(data)) {
      this.#amount.keep(getByteLength(data));
      const text = `Cannot buffer the message as maxBufferedBytes is ${this.#maxBufferedBytes}`;
      const cause = new ConnectionError(text, "ERR_SLUICE_SEND_BUFFER_FULL", { limit: "maxBufferedBytes" });
      connection.fail(CloseCode.INTERNAL_ERROR, "", cause);
      return;
    }
    if (!this.#isSendingWaiting && !(data instanceof Blob)) {
      this.#amount.hold();
      connection.send(data);
      return;
    }
    this.#amount.keep(getByteLength(data));
    this.#waiting.push(data instanceof Uint8Array ? data.slice() : data);
    if (!this.#isSendingWaiting) void this.#sendWaiting(connection);
  }

  /** Starts the closing handshake behind everything that was taken. */
  close(closeCode: number | null, reason: string): void {
    const connection = this.#connection as Connection;
    const startClose = (): void => {
      this.#amount.hold();
      connection.startClose(closeCode, reason, "all");
    };
    if (!this.#isSendingWaiting) {
      startClose();
      return;
    }
    this.#onDrained = startClose;
    // Nobody wants what comes; and the peer's Close must be seen behind it.
    connection.discard();
  }

  #isFull(data: SendData): boolean {
    return this.#amount.value + getByteLength(data) > this.#maxBufferedBytes;
  }

  /** Runs until nothing waits; messages that are sent meanwhile queue up behind. */
  async #sendWaiting(connection: Connection): Promise<void> {
    this.#isSendingWaiting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      for (const data of batch) {
        let message: string | Uint8Array;
        try {
          message = data instanceof Blob ? new Uint8Array(await Blob.prototype.arrayBuffer.call(data)) : data;
        } catch (error) {
          const details = { cause: error };
          const failure = new ConnectionError("Cannot read a Blob to send it", "ERR_SLUICE_BLOB_UNREADABLE", details);
          connection.fail(CloseCode.INTERNAL_ERROR, "", failure);
          return;
        }
        if (connection.readyState !== ReadyState.OPEN) return;
        this.#amount.hold();
        connection.send(message);
        this.#amount.keep(-getByteLength(data));
      }
    }
    this.#isSendingWaiting = false;
    this.#onDrained?.();
  }
}
