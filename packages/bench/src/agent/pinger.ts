import type { Channel, Receiver } from "./channel.ts";
import { CheckingReceiver } from "./checking-receiver.ts";
import type { Message } from "./payloads.ts";

/** Most round trips whose time is kept. */
const MAX_TIMES = 1_000_000;

/** What a phase of echoes gave. */
export interface PingResult {
  readonly received: number;
  readonly wrong: number;
  readonly elapsedMs: number;
  /** Round trips in microseconds, sorted; only with one in flight. */
  readonly times: Float64Array;
}

/** Keeps so many messages in flight to an echoing peer, and sends the next for each that comes back. */
export class Pinger implements Receiver {
  readonly #channel: Channel;
  readonly #payloads: readonly Message[];
  readonly #checker: CheckingReceiver;
  readonly #window: number;
  readonly #times: Float64Array = new Float64Array(0);
  #next = 0;
  #inFlight = 0;
  #deadlineMs = 0;
  #startedMs = 0;
  #sentMs = 0;
  #onEnd: () => void = () => {};

  /** @param window messages in flight; with 1 the time of each round trip is kept */
  constructor(channel: Channel, payloads: readonly Message[], payloadBytes: number, window: number) {
    this.#channel = channel;
    this.#payloads = payloads;
    this.#window = window;
    this.#checker = new CheckingReceiver(payloads, payloadBytes, () => {});
    if (window === 1) this.#times = new Float64Array(MAX_TIMES);
  }

  /** Goes on for that long, and then until everything is back. */
  run(milliseconds: number, isThorough: boolean): Promise<PingResult> {
    this.#checker.reset(isThorough);
    this.#next = 0;
    this.#startedMs = performance.now();
    this.#deadlineMs = this.#startedMs + milliseconds;
    const ended = new Promise<void>((resolve) => {
      this.#onEnd = resolve;
    });
    for (let sent = 0; sent < this.#window; sent++) this.#send();
    return ended.then(() => ({
      received: this.#checker.received,
      wrong: this.#checker.wrong,
      elapsedMs: performance.now() - this.#startedMs,
      times: this.#times.slice(0, Math.min(this.#checker.received, this.#times.length)).sort(),
    }));
  }

  onMessage(message: Message): void {
    this.#checker.onMessage(message);
    this.#advance(1);
  }

  onBytes(bytes: Uint8Array): void {
    const before = this.#checker.received;
    this.#checker.onBytes(bytes);
    this.#advance(this.#checker.received - before);
  }

  #advance(messages: number): void {
    const now = this.#window === 1 || (this.#checker.received & 31) === 0 ? performance.now() : 0;
    if (this.#window === 1 && messages === 1) {
      const index = this.#checker.received - 1;
      if (index < this.#times.length) this.#times[index] = (now - this.#sentMs) * 1000;
    }
    if (now >= this.#deadlineMs) this.#deadlineMs = 0;
    for (let done = 0; done < messages; done++) {
      this.#inFlight--;
      if (this.#deadlineMs !== 0) this.#send();
    }
    if (this.#inFlight === 0) this.#onEnd();
  }

  #send(): void {
    this.#inFlight++;
    const message = this.#payloads[this.#next];
    this.#next = this.#next + 1 === this.#payloads.length ? 0 : this.#next + 1;
    if (this.#window === 1) this.#sentMs = performance.now();
    this.#channel.send(message);
  }
}
