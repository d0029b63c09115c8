import type { Clock, Timer } from "./clock.ts";

/** Looks per timeout: what ends is idle for the timeout, and for a quarter of it more at most. */
const LOOKS = 4;

/**
 * Ends a connection over which no message moves, in either direction.
 *
 * Not liveness, which {@link Keepalive} judges: a peer may answer every Ping and still have nothing to say. Pings and Pongs
 * do not count as use. Nothing is done per message: a timer looks a few times per timeout whether the counters, which are kept
 * anyway, have moved.
 *
 * Also counted as use: a message that is on its way and moves; and one that was received and waits for our own reader, since
 * its end behind that reader would look like the peer's silence (R9).
 */
export class IdleTimeout {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #probe: IdleProbe;
  readonly #lookMs: number;
  #timer: Timer;
  #usedAt: number;
  #messages: number;
  #movingBytes = 0;

  /** @param timeoutMs at least 1 */
  constructor(clock: Clock, timeoutMs: number, probe: IdleProbe) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#probe = probe;
    this.#lookMs = Math.ceil(timeoutMs / LOOKS);
    this.#usedAt = clock.now();
    this.#messages = probe.messages;
    this.#timer = clock.setTimer(this.#look, this.#lookMs);
  }

  stop(): void {
    this.#clock.clearTimer(this.#timer);
  }

  readonly #look = (): void => {
    const now = this.#clock.now();
    const { messages, movingBytes, isUnread } = this.#probe;
    if (isUnread || messages !== this.#messages || movingBytes !== this.#movingBytes) {
      this.#usedAt = now;
      this.#messages = messages;
      this.#movingBytes = movingBytes;
    } else if (now - this.#usedAt >= this.#timeoutMs) {
      this.#probe.onIdle(this.#timeoutMs);
      return;
    }
    this.#timer = this.#clock.setTimer(this.#look, this.#lookMs);
  };
}

/** What the engine shows of itself. */
export interface IdleProbe {
  /** Data messages since the start, both ways. */
  readonly messages: number;
  /** Bytes moved while a message is partly through; 0 while none is. */
  readonly movingBytes: number;
  /** A received message waits for our reader. */
  readonly isUnread: boolean;
  onIdle(timeoutMs: number): void;
}
