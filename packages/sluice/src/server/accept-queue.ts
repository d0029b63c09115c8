/**
 * The queue between accepting and its reader, with the reader's pressure on accepting.
 *
 * Theory of operation. A handshake that is ready asks for a turn. A turn is given at once while there is room for what is
 * queued and for the turns already given; else in order of asking, when the reader has made room. What waits is
 * unanswered: the client sees a server that is slow to accept, as behind a full listen backlog. Who waits, and for how
 * long, is bounded by the caller (maxPendingHandshakes, handshakeTimeoutMs).
 *
 * The queue is ours and the platform's stays empty (highWaterMark 0), so that what nobody took can be given back.
 */
export class AcceptQueue<T> {
  /** What was accepted, in order. */
  readonly readable: ReadableStream<T>;
  readonly #highWaterMark: number;
  readonly #waiting = new Set<() => void>();
  #controller: ReadableStreamDefaultController<T> | null = null;
  #queue: T[] = [];
  /** Turns given and not used yet. */
  #turns = 0;
  /** A `read()` waits. */
  #isPulled = false;
  /** Nothing more comes: the stream closes behind the queue. */
  #hasEnded = false;
  #isDone = false;

  /**
   * @param highWaterMark how many may be queued; 0: only what a `read()` waits for is accepted
   * @param onCancelled called once when the reader wants no more, with what it did not take
   */
  constructor(highWaterMark: number, onCancelled: (unread: readonly T[]) => void) {
    this.#highWaterMark = highWaterMark;
    this.readable = new ReadableStream<T>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => {
          this.#isDone = true;
          const unread = this.#queue;
          this.#queue = [];
          onCancelled(unread);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** How many wait for a turn. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Fulfils when there is room. Each turn must be used by {@link enqueue} or given back by {@link returnTurn}.
   *
   * @param signal gives up the place; the promise then rejects with its reason
   */
  takeTurn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const leave = (): void => {
        this.#waiting.delete(enter);
        reject(signal.reason);
      };
      const enter = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.add(enter);
      this.#giveTurns();
    });
  }

  /** Uses a turn. */
  enqueue(value: T): void {
    this.#turns--;
    if (this.#isDone) return;
    if (this.#isPulled) {
      // Cleared first: enqueue() may call pull() before it returns.
      this.#isPulled = false;
      this.#controller?.enqueue(value);
    } else {
      this.#queue.push(value);
    }
  }

  /** Gives back a turn that was not used. */
  returnTurn(): void {
    this.#turns--;
    this.#giveTurns();
  }

  /** Gives no more turns, and ends `readable` behind what is queued. */
  close(): void {
    this.#hasEnded = true;
    this.#closeWhenEmpty();
  }

  /** Gives no more turns, and breaks `readable`. */
  error(reason: unknown): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#queue = [];
    this.#controller?.error(reason);
  }

  #pull(): void {
    // At most `highWaterMark` long, and accepting is rare: shift() is good enough.
    const next = this.#queue.shift();
    if (next === undefined) this.#isPulled = true;
    else this.#controller?.enqueue(next);
    this.#closeWhenEmpty();
    this.#giveTurns();
  }

  #closeWhenEmpty(): void {
    if (!this.#hasEnded || this.#isDone || this.#queue.length > 0) return;
    this.#isDone = true;
    this.#controller?.close();
  }

  #hasRoom(): boolean {
    if (this.#hasEnded || this.#isDone) return false;
    const wanted = this.#highWaterMark + (this.#isPulled ? 1 : 0);
    return wanted - this.#queue.length - this.#turns > 0;
  }

  #giveTurns(): void {
    for (const enter of this.#waiting) {
      if (!this.#hasRoom()) return;
      this.#waiting.delete(enter);
      this.#turns++;
      enter();
    }
  }
}
