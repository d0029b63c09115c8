/** Remembers the lengths of the messages that were written last, to tell how many bytes of them were not taken yet. */
export class SentQueue {
  readonly #lengths: number[] = [];
  #pushedMessages = 0;
  #bytes = 0;

  /** A message of so many bytes was written. */
  push(byteLength: number): void {
    this.#lengths.push(byteLength);
    this.#pushedMessages++;
    this.#bytes += byteLength;
  }

  /** Bytes of the messages behind the first `takenMessages`. */
  bytesAfter(takenMessages: number): number {
    while (this.#lengths.length > 0 && this.#pushedMessages - this.#lengths.length < takenMessages) {
      this.#bytes -= this.#lengths.shift() as number;
    }
    return this.#bytes;
  }
}
