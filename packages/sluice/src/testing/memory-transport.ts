import type { ByteTransport, ByteTransportListener } from "../connection/byte-transport.ts";
import type { Clock } from "../connection/clock.ts";

/** How a pair of memory transports behaves. */
export interface MemoryTransportOptions {
  /** Bytes that wait between the two ends, each way, before a writer has to wait: the kernel's buffers. @defaultValue 65,536 */
  readonly capacityBytes?: number | undefined;
  /** Called for each delivery with the bytes at hand: how many to deliver, 1 or more. @defaultValue all, at most 65,536 */
  readonly chunkLength?: ((available: number) => number) | undefined;
  /** Lends each chunk only for the turn, and overwrites it afterwards. @defaultValue false */
  readonly isBorrowed?: boolean | undefined;
}

/**
 * One end of a pair of connected byte streams in memory, with the habits of a socket: a bounded buffer in between, a peer
 * that is told late, FIN behind the data, RST that overtakes it, and a paused end that notices neither (R9).
 */
export class MemoryTransport implements ByteTransport {
  readonly remoteAddress = "memory";
  readonly #clock: Clock;
  readonly #capacityBytes: number;
  readonly #chunkLength: (available: number) => number;
  readonly #isBorrowed: boolean;
  #peer!: MemoryTransport;
  #listener: ByteTransportListener | null = null;
  /** Bytes on their way to this end. */
  #incoming: Uint8Array[] = [];
  #incomingBytes = 0;
  /** Written here, not yet on the way. */
  #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  #isPaused = true;
  #isDeliveryScheduled = false;
  #isEnding = false;
  /** FIN: our side has ended, behind everything sent. */
  #hasEnded = false;
  #hasSeenEnd = false;
  #reset: Error | null = null;
  #isClosed = false;

  /** Makes two connected ends. */
  static pair(clock: Clock, options: MemoryTransportOptions = {}): [MemoryTransport, MemoryTransport] {
    const first = new MemoryTransport(clock, options);
    const second = new MemoryTransport(clock, options);
    first.#peer = second;
    second.#peer = first;
    return [first, second];
  }

  private constructor(clock: Clock, options: MemoryTransportOptions) {
    this.#clock = clock;
    this.#capacityBytes = options.capacityBytes ?? 65_536;
    this.#chunkLength = options.chunkLength ?? ((available) => Math.min(available, 65_536));
    this.#isBorrowed = options.isBorrowed ?? false;
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** What waits in between stands for the kernel's buffers; this end holds nothing itself. */
  get unreadBytes(): number {
    return 0;
  }

  /** Whether this end reads at the moment. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Bytes that wait in between for this end to read them. */
  get incomingBytes(): number {
    return this.#incomingBytes;
  }

  start(listener: ByteTransportListener): void {
    this.#listener = listener;
    this.#scheduleDelivery();
  }

  write(bytes: Uint8Array): boolean {
    if (bytes.byteLength === 0) return true;
    if (this.#isClosed || this.#isEnding || this.#peer.#isClosed) {
      // Nothing is accepted after the end, and nothing pretends to be; a system answers data for a socket that is gone with a reset.
      this.#unsentBytes += bytes.byteLength;
      if (!this.#isClosed && this.#peer.#isClosed) this.#receiveReset("EPIPE");
      return false;
    }
    if (this.#unsent.length === 0 && this.#peer.#incomingBytes + bytes.byteLength <= this.#capacityBytes) {
      this.#peer.#arrive(bytes.slice());
      return true;
    }
    this.#unsent.push(bytes);
    this.#unsentBytes += bytes.byteLength;
    this.#clock.nextTask(() => this.#transfer());
    return false;
  }

  /**
   * Puts bytes on the way that the owner of this end does not know of, and that its {@link unsentBytes} do not count. Only
   * between two writes: while the last is not yet whole on the way, and after the end, it does nothing.
   *
   * @returns whether they are on the way
   */
  inject(bytes: Uint8Array): boolean {
    if (this.#isClosed || this.#isEnding || this.#peer.#isClosed || this.#unsent.length > 0) return false;
    this.#peer.#arrive(bytes.slice());
    return true;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#scheduleDelivery();
  }

  end(): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isEnding = true;
    this.#clock.nextTask(() => this.#transfer());
  }

  destroy(): void {
    if (this.#isClosed) return;
    // Unread data at close makes a system send RST instead of FIN.
    if (this.#incomingBytes > 0 || this.#unsent.length > 0) this.#peer.#receiveReset("ECONNRESET");
    else this.#finish();
    this.#close(null);
  }

  /** Ends both sides with a reset, as a crashed peer's system does. */
  reset(): void {
    if (this.#isClosed) return;
    this.#peer.#receiveReset("ECONNRESET");
    this.#close(null);
  }

  setReferenced(): void {}

  #transfer(): void {
    const peer = this.#peer;
    let accepted = 0;
    while (this.#unsent.length > 0 && !this.#isClosed) {
      const bytes = this.#unsent[0] as Uint8Array;
      const room = this.#capacityBytes - peer.#incomingBytes;
      if (room <= 0) break;
      const part = bytes.subarray(0, room);
      peer.#arrive(part.slice());
      accepted += part.byteLength;
      if (part.byteLength === bytes.byteLength) this.#unsent.shift();
      else this.#unsent[0] = bytes.subarray(room);
    }
    if (accepted > 0) {
      this.#unsentBytes -= accepted;
      this.#listener?.onAccepted(accepted);
    }
    if (this.#isEnding && this.#unsent.length === 0) this.#finish();
  }

  #finish(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#peer.#scheduleDelivery();
    this.#closeWhenBothEnded();
  }

  #arrive(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#incoming.push(bytes);
    this.#incomingBytes += bytes.byteLength;
    this.#scheduleDelivery();
  }

  #receiveReset(code: string): void {
    if (this.#isClosed || this.#reset !== null) return;
    this.#reset = Object.assign(new Error(`The memory transport was reset (${code})`), { code });
    this.#incoming = [];
    this.#incomingBytes = 0;
    // A system notices a reset when it reads or writes.
    if (code === "EPIPE") this.#close(this.#reset);
    else this.#scheduleDelivery();
  }

  #scheduleDelivery(): void {
    if (this.#isDeliveryScheduled || this.#isPaused || this.#isClosed || this.#listener === null) return;
    this.#isDeliveryScheduled = true;
    this.#clock.nextTask(() => {
      this.#isDeliveryScheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#isPaused || this.#isClosed) return;
    if (this.#reset !== null) {
      this.#close(this.#reset);
    } else if (this.#incomingBytes > 0) {
      const chunk = this.#take(Math.max(1, Math.min(this.#incomingBytes, this.#chunkLength(this.#incomingBytes))));
      this.#peer.#transfer();
      this.#scheduleDelivery();
      this.#listener?.onData(chunk, this.#isBorrowed);
      if (this.#isBorrowed) this.#clock.endOfTurn(() => chunk.fill(0xaa));
    } else if (this.#peer.#hasEnded && !this.#hasSeenEnd) {
      this.#hasSeenEnd = true;
      this.#listener?.onEnd();
      this.#closeWhenBothEnded();
    }
  }

  #take(length: number): Uint8Array {
    const chunk = new Uint8Array(length);
    let offset = 0;
    while (offset < length) {
      const first = this.#incoming[0] as Uint8Array;
      const part = first.subarray(0, length - offset);
      chunk.set(part, offset);
      offset += part.byteLength;
      if (part.byteLength === first.byteLength) this.#incoming.shift();
      else this.#incoming[0] = first.subarray(part.byteLength);
    }
    this.#incomingBytes -= length;
    return chunk;
  }

  #closeWhenBothEnded(): void {
    if (this.#hasEnded && this.#hasSeenEnd) this.#close(null);
  }

  #close(error: Error | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#incoming = [];
    this.#incomingBytes = 0;
    this.#unsent = [];
    this.#clock.nextTask(() => this.#listener?.onClose(error));
  }
}
