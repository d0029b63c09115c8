/** A message as it is handed out. */
type Message = string | Uint8Array<ArrayBuffer>;

/** Messages that nobody asked for yet, in order, each with its payload bytes and its cost. */
export class MessageQueue {
  /** Of the message that was taken last. */
  byteLength = 0;
  cost = 0;
  /** Payload bytes of all. */
  totalBytes = 0;
  /** Three entries a message rather than an object; a head index rather than shift(). */
  readonly #entries: (Message | number)[] = [];
  #head = 0;

  get length(): number {
    return (this.#entries.length - this.#head) / 3;
  }

  push(message: Message, byteLength: number, cost: number): void {
    this.#entries.push(message, byteLength, cost);
    this.totalBytes += byteLength;
  }

  /** The first message; there must be one. */
  shift(): Message {
    const entries = this.#entries;
    const head = this.#head;
    const message = entries[head] as Message;
    this.byteLength = entries[head + 1] as number;
    this.cost = entries[head + 2] as number;
    this.totalBytes -= this.byteLength;
    entries[head] = "";
    this.#head += 3;
    // Empty is the usual case; else the spent half is cut off, which is constant work per message.
    if (this.#head === entries.length || (this.#head > 3000 && this.#head * 2 >= entries.length)) {
      entries.copyWithin(0, this.#head);
      entries.length -= this.#head;
      this.#head = 0;
    }
    return message;
  }
}
