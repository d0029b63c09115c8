import { CreditEvent } from "../../sluice/src/flow-control/credit-codec.ts";
import type { MessageCodec } from "../../sluice/src/flow-control/message-codec.ts";
import { MessageQueue } from "../../sluice/src/flow-control/message-queue.ts";
import { utf8Length } from "../../sluice/src/flow-control/utf8-length.ts";
import { ProtocolError } from "../../sluice/src/protocol/protocol-error.ts";
import type { PageSettings } from "./options.ts";

/** What a page uses of a codec. */
export type PageCodec = Omit<MessageCodec, "messageByteLength">;

/** The close code for more unread messages than the limit. */
const OVERFLOW_CLOSE_CODE = 4008;

/** Messages as they are, without credit: a queue in front of the reader, with a limit. */
export class PlainCodec implements PageCodec {
  message: string | Uint8Array<ArrayBuffer> = "";
  readonly accounts = null;
  readonly #settings: PageSettings;
  readonly #canWait: boolean;
  readonly #queue: MessageQueue = new MessageQueue();
  #isPaused = false;
  #isDiscarding = false;
  #outgoing: string | Uint8Array | null = null;

  /** @param canWait whether what comes can be left unread: then it is above `maxWindowBytes`; otherwise there is a limit */
  constructor(settings: PageSettings, canWait: boolean) {
    this.#settings = settings;
    this.#canWait = canWait;
  }

  get queuedBytes(): number {
    return this.#queue.totalBytes;
  }

  get queuedMessages(): number {
    return this.#queue.length;
  }

  /** Reads until the window is full, then not before half of it is empty: what a Close may cut off is behind a pause. */
  get wantsInput(): boolean {
    const { maxWindowBytes } = this.#settings;
    this.#isPaused = this.#canWait && this.queuedBytes * (this.#isPaused ? 2 : 1) > maxWindowBytes;
    return !this.#isPaused;
  }

  get isSending(): boolean {
    return this.#outgoing !== null;
  }

  receive(wire: string | Uint8Array<ArrayBuffer>): void {
    if (this.#isDiscarding) return;
    const { receiveBufferLimitBytes, overflow, maxMessageBytes } = this.#settings;
    const byteLength = typeof wire === "string" ? utf8Length(wire) : wire.length;
    if (byteLength > maxMessageBytes) throw createError(1009, "Message is longer than the limit");
    this.#queue.push(wire, byteLength, 0);
    // One message may be larger than the limit: it is in memory already, and may be what the reader waits for.
    while (!this.#canWait && this.queuedBytes > receiveBufferLimitBytes && this.queuedMessages > 1) {
      if (overflow === "error") throw createError(OVERFLOW_CLOSE_CODE, "More unread messages than the limit");
      this.#queue.shift();
    }
  }

  next(isMessageWanted: boolean): CreditEvent {
    if (!isMessageWanted || this.queuedMessages === 0) return CreditEvent.NEED_DATA;
    this.message = this.#queue.shift();
    return CreditEvent.MESSAGE;
  }

  discard(): void {
    this.#isDiscarding = true;
    while (this.queuedMessages > 0) this.#queue.shift();
  }

  send(message: string | Uint8Array): void {
    this.#outgoing = message;
  }

  /** Nothing waits here for longer than the call that brings it. */
  retain(): void {}

  /** Nothing here says that to the peer. */
  end(): void {}

  ping(): void {}

  takeRecord(): null {
    return null;
  }

  takeData(): string | Uint8Array | null {
    const message = this.#outgoing;
    this.#outgoing = null;
    return message;
  }
}

function createError(closeCode: number, text: string): ProtocolError {
  return new ProtocolError(closeCode, text, { section: "", code: "ERR_SLUICE_LIMIT" });
}
