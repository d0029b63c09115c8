/** Size of the header in front of a block without compression that starts at a byte (RFC 1951 §3.2.4). */
const STORED_HEADER_BYTES = 5;

/**
 * The last bytes that an inflater put out: all that LZ77 can refer to, and so the whole of a context between messages. It
 * starts with nothing and grows to the window's size only as data comes.
 */
export class History {
  /** Most bytes that it remembers. */
  readonly windowBytes: number;
  /** A ring once it has the window's size; before that it is filled from its start and doubled. */
  #ring: Uint8Array = new Uint8Array(0);
  #length = 0;
  /** Where the next byte goes. */
  #end = 0;

  /** @param windowBits 8 to 15, the sender's window (RFC 7692 §7.1.2) */
  constructor(windowBits: number) {
    this.windowBytes = 1 << windowBits;
  }

  /** Bytes remembered, at most the window. */
  get length(): number {
    return this.#length;
  }

  /** Memory held. */
  get heldBytes(): number {
    return this.#ring.byteLength;
  }

  append(bytes: Uint8Array): void {
    const windowBytes = this.windowBytes;
    const source = bytes.length > windowBytes ? bytes.subarray(bytes.length - windowBytes) : bytes;
    if (source.length === 0) return;
    if (this.#ring.length < windowBytes) this.#grow(this.#length + source.length);
    const untilWrap = Math.min(source.length, this.#ring.length - this.#end);
    if (untilWrap === source.length) {
      this.#ring.set(source, this.#end);
    } else {
      this.#ring.set(source.subarray(0, untilWrap), this.#end);
      this.#ring.set(source.subarray(untilWrap), 0);
    }
    this.#end = (this.#end + source.length) % this.#ring.length;
    this.#length = Math.min(windowBytes, this.#length + source.length);
  }

  /**
   * Everything remembered as one DEFLATE block without compression (RFC 1951 §3.2.4). A fresh inflater that reads it first
   * is where the old one was: this does what a dictionary does, without a new context.
   *
   * @param target at least 5 + 32,768 bytes
   * @returns the filled part of the target
   */
  writeStoredBlock(target: Uint8Array): Uint8Array {
    const length = this.#length;
    target[0] = 0; // BFINAL 0, BTYPE 00
    target[1] = length & 0xff;
    target[2] = length >> 8;
    target[3] = ~length & 0xff;
    target[4] = (~length >> 8) & 0xff;
    const start = length < this.#ring.length ? 0 : this.#end;
    target.set(this.#ring.subarray(start, length), STORED_HEADER_BYTES);
    target.set(this.#ring.subarray(0, start), STORED_HEADER_BYTES + length - start);
    return target.subarray(0, STORED_HEADER_BYTES + length);
  }

  /** Forgets, and frees the memory. */
  clear(): void {
    this.#ring = new Uint8Array(0);
    this.#length = 0;
    this.#end = 0;
  }

  #grow(wanted: number): void {
    let capacity = Math.max(this.#ring.length, 256);
    while (capacity < wanted) capacity *= 2;
    capacity = Math.min(capacity, this.windowBytes);
    if (capacity === this.#ring.length) return;
    const ring = new Uint8Array(capacity);
    ring.set(this.#ring.subarray(0, this.#length));
    this.#ring = ring;
    this.#end = this.#length;
  }
}
