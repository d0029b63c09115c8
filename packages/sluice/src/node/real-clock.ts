import type { Clock, Timer } from "../connection/clock.ts";

/** Node sets a longer delay to 1 ms: about 24.8 days. */
const MAX_DELAY_MS = 2 ** 31 - 1;

const RESOLVED = Promise.resolve();

// Everything that asked for the end of this turn shares one tick; what asks while that runs waits for the next one.
let waiting: (() => void)[] = [];
let running: (() => void)[] = [];

/*
 * Where "the end of the turn" lies: inside a socket's callback Node runs the ticks first and the microtasks afterwards,
 * inside a promise job it is the other way round (20, 22, 24, 26). Only a tick asked for from a microtask comes after
 * the microtasks in both. A promise reaction takes that hop; queueMicrotask() would create an AsyncResource.
 */
function endOfTurn(callback: () => void): void {
  if (waiting.push(callback) === 1) void RESOLVED.then(scheduleTick);
}

function scheduleTick(): void {
  process.nextTick(runWaiting);
}

function runWaiting(): void {
  const callbacks = waiting;
  waiting = running;
  running = callbacks;
  let index = 0;
  try {
    while (index < callbacks.length) (callbacks[index++] as () => void)();
  } finally {
    // A callback threw: the rest still gets its turn, in front of what was added meanwhile.
    if (index < callbacks.length) {
      waiting.unshift(...callbacks.slice(index));
      process.nextTick(runWaiting);
    }
    callbacks.length = 0;
  }
}

/** Node's own time. Timers do not keep the process alive (the socket that they watch does). */
export const realClock: Clock = {
  now: () => performance.now(),
  setTimer(callback: () => void, delayMs: number): Timer {
    return setTimeout(callback, Math.min(delayMs, MAX_DELAY_MS)).unref();
  },
  clearTimer(timer: Timer): void {
    clearTimeout(timer as NodeJS.Timeout);
  },
  endOfTurn,
  nextTask(callback: () => void): void {
    setImmediate(callback);
  },
};
