import type { ReadableMessage } from "./message-source.ts";

/** Messages in order with their byte length and size, in a ring: no object and no shifting per message. */
export class MessageQueue {
  #messages: (ReadableMessage | undefined)[] = EMPTY;
  #byteLengths: number[] = EMPTY;
  #sizes: number[] = EMPTY;
  /** Slots less one, a power of two less one; -1 before the first message. */
  #mask = -1;
  #head = 0;
  #length = 0;
  #totalBytes = 0;
  #totalSize = 0;

  get length(): number {
    return this.#length;
  }

  /** Sum of the payload bytes. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Sum of the strategy's sizes. */
  get totalSize(): number {
    return this.#totalSize;
  }

  push(message: ReadableMessage, byteLength: number, size: number): void {
    if (this.#length > this.#mask) this.#grow();
    const index = (this.#head + this.#length) & this.#mask;
    this.#messages[index] = message;
    this.#byteLengths[index] = byteLength;
    this.#sizes[index] = size;
    this.#length++;
    this.#totalBytes += byteLength;
    this.#totalSize += size;
  }

  /** The first message; there must be one. */
  shift(): ReadableMessage {
    const index = this.#head;
    const message = this.#messages[index] as ReadableMessage;
    this.#messages[index] = undefined;
    this.#head = (index + 1) & this.#mask;
    this.#length--;
    this.#totalBytes -= this.#byteLengths[index] as number;
    // Sums of fractional sizes may leave a trace (Streams §8.1.1).
    this.#totalSize = this.#length === 0 ? 0 : Math.max(0, this.#totalSize - (this.#sizes[index] as number));
    return message;
  }

  clear(): void {
    this.#messages = this.#byteLengths = this.#sizes = EMPTY;
    this.#mask = -1;
    this.#head = this.#length = this.#totalBytes = this.#totalSize = 0;
  }

  #grow(): void {
    this.#messages = unroll(this.#messages, this.#head);
    this.#byteLengths = unroll(this.#byteLengths, this.#head);
    this.#sizes = unroll(this.#sizes, this.#head);
    this.#mask = this.#messages.length - 1;
    this.#head = 0;
  }
}

/** A power of two. */
const FIRST_SLOTS = 4;

/** Of every empty queue: never written to, since it has no slot. */
const EMPTY: never[] = [];

/** The full ring in order, in twice the room. */
function unroll<Item>(ring: Item[], head: number): Item[] {
  const { length } = ring;
  const wider = new Array<Item>(length === 0 ? FIRST_SLOTS : length * 2);
  for (let i = 0; i < length; i++) wider[i] = ring[(head + i) & (length - 1)] as Item;
  return wider;
}
