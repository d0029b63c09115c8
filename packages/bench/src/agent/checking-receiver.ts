import type { Receiver } from "./channel.ts";
import type { Message } from "./payloads.ts";

/** How many of the messages are compared to their last byte: in warm-ups all, in measured rounds one of so many. */
const SAMPLE = 64;

/**
 * Counts messages, and compares them with what must have been sent. Of every message the length and both ends are compared;
 * of one in 64, and of all in a warm-up, everything. The cost is the same for every peer.
 */
export class CheckingReceiver implements Receiver {
  readonly #payloads: readonly Message[];
  readonly #buffers: readonly Buffer[];
  readonly #bytes: number;
  readonly #isText: boolean;
  readonly #onEnd: () => void;
  #index = 0;
  /** Position in the byte stream, for a peer without messages. */
  #position = 0;
  #expectedBytes = Number.POSITIVE_INFINITY;
  /** Whether each message is compared in full. */
  isThorough = true;
  received = 0;
  /** Messages that were not what was sent. */
  wrong = 0;
  firstMs = 0;
  lastMs = 0;

  /** @param onEnd called at each end mark */
  constructor(payloads: readonly Message[], payloadBytes: number, onEnd: () => void) {
    this.#payloads = payloads;
    this.#buffers = payloads.map((payload) => Buffer.from(payload as string));
    this.#bytes = payloadBytes;
    this.#isText = typeof payloads[0] === "string";
    this.#onEnd = onEnd;
  }

  /** Starts a phase: payloads come from the first again. */
  reset(isThorough: boolean): void {
    this.#index = 0;
    this.#position = 0;
    this.#expectedBytes = Number.POSITIVE_INFINITY;
    this.isThorough = isThorough;
    this.received = 0;
    this.wrong = 0;
  }

  onMessage(message: Message): void {
    const { received } = this;
    if (received === 0) this.firstMs = performance.now();
    if (message.length === 0) {
      this.lastMs = performance.now();
      this.#onEnd();
      return;
    }
    this.received = received + 1;
    const index = this.#index;
    this.#index = index + 1 === this.#payloads.length ? 0 : index + 1;
    if (!this.#isExpected(message, index)) this.wrong++;
  }

  #isExpected(message: Message, index: number): boolean {
    const isFull = this.isThorough || this.received % SAMPLE === 0;
    if (typeof message === "string") {
      const text = this.#payloads[index] as string;
      return this.#isText && message.length === text.length && (isFull ? message === text : hasEnds(message, text));
    }
    const bytes = this.#buffers[index];
    const last = bytes.length - 1;
    if (this.#isText || message.length !== bytes.length) return false;
    return message[0] === bytes[0] && message[last] === bytes[last] && (!isFull || bytes.equals(message));
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#position === 0) this.firstMs = performance.now();
    const buffer = this.#buffers[Math.floor(this.#position / this.#bytes) % this.#buffers.length];
    const from = this.#position % this.#bytes;
    const compared = Math.min(bytes.length, this.#bytes - from);
    const isSame = buffer.compare(bytes, 0, compared, from, from + compared) === 0;
    if (!isSame) this.wrong++;
    this.#position += bytes.length;
    this.received = Math.floor(this.#position / this.#bytes);
    this.lastMs = performance.now();
    if (this.#position >= this.#expectedBytes) this.#onEnd();
  }

  /** For a peer without messages, which has no mark: the end is after this many. */
  expect(messages: number): void {
    this.#expectedBytes = messages * this.#bytes;
    if (this.#position >= this.#expectedBytes) this.#onEnd();
  }
}

function hasEnds(message: string, text: string): boolean {
  const last = text.length - 1;
  return message.charCodeAt(0) === text.charCodeAt(0) && message.charCodeAt(last) === text.charCodeAt(last);
}
