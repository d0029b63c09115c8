import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock, Timer } from "../connection/clock.ts";
import type { Member } from "./member-list.ts";
import { ignoreSocketError, refuseAtLimit } from "./refusal.ts";

/** The client went away before its handshake was answered. */
export class HandshakeLostError extends Error {
  readonly code = "ERR_SLUICE_HANDSHAKE_LOST";

  constructor() {
    super("The client ended the connection before its handshake was answered");
    this.name = "HandshakeLostError";
  }
}

/**
 * A request that waits for its answer. Whoever waits with it looks at `signal`, or waits {@link within} it: from then on the
 * socket and the time are watched, and when either runs out `signal` is aborted, with a {@link HandshakeLostError} or a refusal
 * with 503 as its reason. Most handshakes wait for nothing, and pay for none of this: a tenth of their time.
 */
export class PendingHandshake implements Member {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** As the socket has it, or `""`. */
  readonly remoteAddress: string;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #abortController: AbortController | null = null;
  #timer: Timer | null = null;
  #isLost = false;
  place = -1;

  constructor(request: IncomingMessage, socket: Duplex, clock: Clock, timeoutMs: number) {
    this.request = request;
    this.socket = socket;
    this.remoteAddress = (socket as Partial<Socket>).remoteAddress ?? "";
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    // Node took its own listeners off with the HTTP parser. This one stays: the socket may fail at any later time.
    socket.on("error", ignoreSocketError);
  }

  /** Aborted when there is no use in going on. */
  get signal(): AbortSignal {
    return (this.#abortController ?? this.#watch()).signal;
  }

  /** Whether nobody is there to be answered. */
  get isLost(): boolean {
    return this.#isLost || isGone(this.socket);
  }

  /** Ends the waiting with this reason. */
  abort(reason: Error): void {
    (this.#abortController ?? this.#watch()).abort(reason);
  }

  /** @throws the reason, if there is no use in going on */
  check(): void {
    if (this.isLost) {
      throw new HandshakeLostError();
    }
    this.#abortController?.signal.throwIfAborted();
  }

  /** Waits for `promise`, but not longer than there is use in it. */
  async within<T>(promise: PromiseLike<T>): Promise<T> {
    const { signal } = this;
    let stop: () => void = () => {};
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
    });
    try {
      this.check();
      return await Promise.race([promise, aborted]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Stops watching: somebody else is responsible for the socket now. */
  release(): void {
    if (this.#abortController === null) return;
    this.socket.off("end", this.#onLost);
    this.socket.off("close", this.#onLost);
    if (this.#timer !== null) {
      this.#clock.clearTimer(this.#timer);
      this.#timer = null;
    }
  }

  /** The time counts from here, which is in the turn in which the request came. */
  #watch(): AbortController {
    const controller = new AbortController();
    this.#abortController = controller;
    // RFC 6455 §4.2.2 has nothing for a client that ended its side before our answer: it cannot become a connection (H30).
    this.socket.once("end", this.#onLost);
    this.socket.once("close", this.#onLost);
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = null;
      const text = "The server is too busy to answer this handshake in time";
      controller.abort(refuseAtLimit(503, text, "handshakeTimeoutMs"));
    }, this.#timeoutMs);
    if (isGone(this.socket)) this.#onLost();
    return controller;
  }

  readonly #onLost = (): void => {
    this.#isLost = true;
    this.#abortController?.abort(new HandshakeLostError());
  };
}

function isGone(socket: Duplex): boolean {
  return socket.destroyed || socket.readableEnded || socket.writableEnded;
}
