import type { Clock, Timer } from "./clock.ts";

/**
 * Liveness (promise 4): tells a dead peer from one that stalls us, and from one that we stall ourselves.
 *
 * Any received byte is life. So are bytes of a backlog that drain, since a full kernel buffer only empties when the peer
 * acknowledges. While our own reader is paused nothing can be heard, so no verdict falls (R9); the peer is still pinged,
 * for the middleboxes on the way, unless a backlog stands in front. Only silence with an empty output and an unanswered Ping
 * is death.
 */
export class Keepalive {
  readonly #clock: Clock;
  readonly #options: Required<KeepaliveOptions>;
  readonly #probe: KeepaliveProbe;
  #timer: Timer | null = null;
  #hasHeard = false;
  #pingSentAt: number | null = null;
  #pingNumber = 0;
  #pausedSince: number | null = null;
  #stalledSince: number | null = null;
  #unsentBytes = 0;
  #acceptedBytes = 0;
  #rttMs: number | null = null;
  #pongsReceived = 0;
  #answeredPing = 0;

  constructor(clock: Clock, options: KeepaliveOptions, probe: KeepaliveProbe) {
    this.#clock = clock;
    this.#options = withDefaults(options);
    this.#probe = probe;
    this.#schedule(this.#options.intervalMs);
  }

  /** Round trip of the newest answered Ping, in milliseconds; null before the first. */
  get rttMs(): number | null {
    return this.#rttMs;
  }

  get pingsSent(): number {
    return this.#pingNumber;
  }

  /** How many of them were answered. */
  get pongsReceived(): number {
    return this.#pongsReceived;
  }

  /** Bytes came from the peer. */
  onReceived(): void {
    this.#hasHeard = true;
  }

  /**
   * A Pong came; the first one that answers our newest Ping measures the round trip.
   *
   * @returns the round trip in milliseconds; null if this Pong measured none
   */
  onPong(payload: Uint8Array): number | null {
    if (this.#pingSentAt === null || payload.byteLength !== 4) return null;
    const number = new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0);
    if (number !== this.#pingNumber || number === this.#answeredPing) return null;
    this.#answeredPing = number;
    this.#pongsReceived++;
    this.#rttMs = this.#clock.now() - this.#pingSentAt;
    return this.#rttMs;
  }

  stop(): void {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#clock.setTimer(this.#check, delayMs);
  }

  readonly #check = (): void => {
    const now = this.#clock.now();
    // Taken first: a Ping that is sent now is no backlog.
    const { unsentBytes, acceptedBytes } = this.#probe;
    const verdict = this.#judge(now);
    this.#hasHeard = false;
    this.#unsentBytes = unsentBytes;
    this.#acceptedBytes = acceptedBytes;
    if (verdict !== null) {
      this.#timer = null;
      this.#probe.onVerdict(verdict);
      return;
    }
    // While we are paused the answer cannot be heard, so it is not waited for.
    const isAwaited = this.#pingSentAt !== null && this.#pausedSince === null;
    this.#schedule(isAwaited ? this.#timeToNextCheck(now) : this.#options.intervalMs);
  };

  #judge(now: number): KeepaliveVerdict | null {
    const probe = this.#probe;
    const isDraining = this.#unsentBytes > 0 && probe.acceptedBytes > this.#acceptedBytes;
    if (probe.isPaused) {
      this.#pausedSince ??= now;
      this.#stalledSince = null;
      this.#ping(now);
      return now - this.#pausedSince >= this.#options.pausedTimeoutMs ? "paused" : null;
    }
    const wasPaused = this.#pausedSince !== null;
    this.#pausedSince = null;
    if (this.#hasHeard || isDraining || wasPaused) {
      this.#stalledSince = null;
      this.#pingSentAt = null;
      if (wasPaused && !this.#hasHeard) this.#ping(now);
      return null;
    }
    if (probe.unsentBytes > 0) {
      this.#stalledSince ??= now;
      this.#pingSentAt = null;
      return now - this.#stalledSince >= this.#options.stalledTimeoutMs ? "stalled" : null;
    }
    this.#stalledSince = null;
    if (this.#pingSentAt === null) {
      this.#ping(now);
      return null;
    }
    return now - this.#pingSentAt >= this.#options.timeoutMs ? "dead" : null;
  }

  #timeToNextCheck(now: number): number {
    const { intervalMs, timeoutMs } = this.#options;
    const remainingMs = (this.#pingSentAt as number) + timeoutMs - now;
    return remainingMs > 0 ? remainingMs : intervalMs;
  }

  #ping(now: number): void {
    // Behind a backlog it would tell nobody anything, and those of hours would pile up.
    if (this.#probe.unsentBytes > 0) return;
    this.#pingNumber = (this.#pingNumber + 1) >>> 0;
    this.#pingSentAt = now;
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, this.#pingNumber);
    this.#probe.sendPing(payload);
  }
}

/** What is wrong: silence; a peer that takes nothing; or our own reader, which has not read for too long. */
export type KeepaliveVerdict = "dead" | "stalled" | "paused";

export interface KeepaliveOptions {
  /** Silence after which a Ping is sent. @defaultValue 20,000: below the 30 and 60 seconds of common middleboxes */
  readonly intervalMs: number;
  /** How long the answer may take before the peer counts as dead. @defaultValue 20,000 */
  readonly timeoutMs: number;
  /** How long a peer may take nothing of what waits for it, and say nothing. @defaultValue 900,000: as long as TCP itself tries */
  readonly stalledTimeoutMs?: number | undefined;
  /** How long our own reader may stand still. @defaultValue Infinity: the application's decision */
  readonly pausedTimeoutMs?: number | undefined;
}

export const DEFAULT_KEEPALIVE: Required<KeepaliveOptions> = {
  intervalMs: 20_000,
  timeoutMs: 20_000,
  stalledTimeoutMs: 900_000,
  pausedTimeoutMs: Number.POSITIVE_INFINITY,
};

/** Connections without options of their own share one object. */
function withDefaults(options: KeepaliveOptions): Required<KeepaliveOptions> {
  if (options === DEFAULT_KEEPALIVE) return DEFAULT_KEEPALIVE;
  const { intervalMs, timeoutMs, stalledTimeoutMs, pausedTimeoutMs } = options;
  return {
    intervalMs,
    timeoutMs,
    stalledTimeoutMs: stalledTimeoutMs ?? DEFAULT_KEEPALIVE.stalledTimeoutMs,
    pausedTimeoutMs: pausedTimeoutMs ?? DEFAULT_KEEPALIVE.pausedTimeoutMs,
  };
}

/** What the engine shows of itself. */
export interface KeepaliveProbe {
  /** Reading stands still because the application asks for nothing. */
  readonly isPaused: boolean;
  readonly unsentBytes: number;
  /** Bytes that the system accepted since the start. */
  readonly acceptedBytes: number;
  sendPing(payload: Uint8Array): void;
  onVerdict(verdict: KeepaliveVerdict): void;
}
