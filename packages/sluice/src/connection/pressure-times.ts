import type { Clock } from "./clock.ts";

/**
 * How long each direction of a connection stood still, and because of whom. The clock is read when a direction stops, when it
 * goes on, and, while our output is blocked, when the system takes some of it: never per message.
 *
 * **Input** is *paused* while messages have arrived and our own reader (or the thread that inflates for it) does not take them,
 * so that nothing is read from the network. The rest of the time we wait for the peer, or for the network on the way.
 *
 * **Output** is *blocked* while a message waits because as much as `sendLimitBytes` is unsent: `write()` pends. Then it counts
 * as the *network's* as long as the system took some bytes within the last second (they flow, only not faster), and beyond that
 * second as the *peer's*, which does not take (TCP cannot tell a peer whose window is closed from a path that is broken; the
 * keepalive judges that, later). The rest of the time our own writer has nothing to send: it is *idle*.
 *
 * All times are whole milliseconds, cut off at the same grid, so that sums are exact and never go back.
 */
export class PressureTimes {
  readonly #clock: Clock;
  #inputPausedMs = 0;
  #pausedAt: number | null = null;
  #outputNetworkMs = 0;
  #outputPeerMs = 0;
  /** While our output is blocked, when it last moved; null while it is not. */
  #movedAt: number | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param now in whole milliseconds, as for the next two and `stop` */
  inputPausedMs(now: number): number {
    return this.#inputPausedMs + (this.#pausedAt === null ? 0 : now - this.#pausedAt);
  }

  outputNetworkMs(now: number): number {
    return this.#outputNetworkMs + Math.min(this.#stillMs(now), MOVING_MS);
  }

  outputPeerMs(now: number): number {
    return this.#outputPeerMs + Math.max(0, this.#stillMs(now) - MOVING_MS);
  }

  /** Says whether input stands still. The same again changes nothing. */
  setPaused(isPaused: boolean): void {
    if (isPaused === (this.#pausedAt !== null)) return;
    const now = wholeMs(this.#clock);
    this.#inputPausedMs = this.inputPausedMs(now);
    this.#pausedAt = isPaused ? now : null;
  }

  /** Says whether output stands still. The same again changes nothing. */
  setBlocked(isBlocked: boolean): void {
    if (isBlocked !== (this.#movedAt !== null)) this.#restart(wholeMs(this.#clock), isBlocked);
  }

  get isBlocked(): boolean {
    return this.#movedAt !== null;
  }

  /** The system took bytes while output is blocked. */
  noteMoved(): void {
    this.#restart(wholeMs(this.#clock), true);
  }

  /** The connection has ended. */
  stop(now: number): void {
    this.#inputPausedMs = this.inputPausedMs(now);
    this.#pausedAt = null;
    this.#restart(now, false);
  }

  #stillMs(now: number): number {
    return this.#movedAt === null ? 0 : now - this.#movedAt;
  }

  #restart(now: number, isBlocked: boolean): void {
    this.#outputPeerMs = this.outputPeerMs(now);
    this.#outputNetworkMs = this.outputNetworkMs(now);
    this.#movedAt = isBlocked ? now : null;
  }
}

/** The time without its fraction: the difference of two such times is right on average, also for spans below a millisecond. */
export function wholeMs(clock: Clock): number {
  return Math.floor(clock.now());
}

/**
 * Output that moved within this time is held back by the network. The system tells of whole writes, 128 KiB at most: a path
 * slower than that per second looks like a peer that takes little.
 */
const MOVING_MS = 1000;
