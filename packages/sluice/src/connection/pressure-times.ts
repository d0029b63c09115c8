import type { Clock } from "./clock.ts";

/**
 * How long each direction of a connection stood still, and because of whom. The clock is read when a direction stops, when it
 * goes on, and, while our output is blocked, when the system takes some of it: never per message.
 *
 * **Input** is *paused* while messages have arrived and our own reader (or the thread that inflates for it) does not take them,
 * so that nothing is read from the network. The rest of the time we wait for the peer, or for the network on the way.
 *
 * **Output** is *blocked* while a message waits because as much as `sendLimitBytes` is unsent, or because there is no credit where
 * that is spoken: `write()` pends. Then it counts as the *network's* as long as some bytes moved on within the last second (they
 * flow, only not faster), and beyond that second as the *peer's*, which does not take (TCP cannot tell a peer whose window is
 * closed from a path that is broken; the keepalive judges that, later). The rest of the time our own writer has nothing to
 * send: it is *idle*.
 *
 * All times are whole milliseconds, cut off at the same grid, so that sums are exact and never go back.
 */
export class PressureTimes {
  readonly #clock: Clock;
  #inputPausedMs = 0;
  #pausedAt: number | null = null;
  #outputNetworkMs = 0;
  #outputPeerMs = 0;
  #isBlocked = false;
  #isStarved = false;
  /** While our output is blocked or starved, when it last moved; null while it is neither. */
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

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Says whether output stands still because of the system. The same again changes nothing. */
  setBlocked(isBlocked: boolean): void {
    this.#isBlocked = isBlocked;
    this.#update();
  }

  /** Says whether output stands still because the peer has granted no credit. The same again changes nothing. */
  setStarved(isStarved: boolean): void {
    this.#isStarved = isStarved;
    this.#update();
  }

  /** Some of the output moved on. */
  noteMoved(): void {
    if (this.#movedAt !== null) this.#restart(wholeMs(this.#clock), true);
  }

  /** The connection has ended. */
  stop(now: number): void {
    this.#inputPausedMs = this.inputPausedMs(now);
    this.#pausedAt = null;
    this.#isBlocked = false;
    this.#isStarved = false;
    this.#restart(now, false);
  }

  #update(): void {
    const isStill = this.#isBlocked || this.#isStarved;
    if (isStill !== (this.#movedAt !== null)) this.#restart(wholeMs(this.#clock), isStill);
  }

  #stillMs(now: number): number {
    return this.#movedAt === null ? 0 : now - this.#movedAt;
  }

  #restart(now: number, isStill: boolean): void {
    this.#outputPeerMs = this.outputPeerMs(now);
    this.#outputNetworkMs = this.outputNetworkMs(now);
    this.#movedAt = isStill ? now : null;
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
