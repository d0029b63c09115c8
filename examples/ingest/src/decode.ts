import { Checksum } from "./checksum.ts";
import { type Batch, decodeClientMessage } from "./wire.ts";

/**
 * Decodes and validates what one client sends: messages in, batches out. Ends at the client's last message.
 *
 * Its writable side errors with a TypeError at the first message that is not as agreed, or whose records do not follow on
 * those before: whoever made it has lost count, and storing on would hide that.
 */
export class DecodeStream implements ReadableWritablePair<Batch, string | Uint8Array> {
  readonly readable: ReadableStream<Batch>;
  readonly writable: WritableStream<string | Uint8Array>;
  #nextSequence = 0;
  #announced: Checksum | null = null;

  /** What the client says that it sent, once its last message has come. */
  get announced(): Checksum | null {
    return this.#announced;
  }

  /** @param onMessage called with each message before it is decoded */
  constructor(onMessage: (message: string | Uint8Array) => void = () => {}) {
    const { readable, writable } = new TransformStream<string | Uint8Array, Batch>({
      transform: (message, controller) => {
        onMessage(message);
        const decoded = decodeClientMessage(message);
        if (decoded instanceof Checksum) {
          this.#announced = decoded;
          controller.terminate();
          return;
        }
        if (decoded.first !== this.#nextSequence) {
          throw new TypeError(`batch must start with record ${this.#nextSequence}: it starts with ${decoded.first}`);
        }
        this.#nextSequence += decoded.departures.length;
        controller.enqueue(decoded);
      },
    });
    this.readable = readable;
    this.writable = writable;
  }
}
