import type { Clock, Timer } from "../../sluice/src/connection/clock.ts";

/** The page's own time. Timers of a hidden tab may be a second late; nothing here depends on more. */
export const browserClock: Clock = {
  now: () => performance.now(),
  setTimer: (callback, delayMs): Timer => setTimeout(callback, delayMs) as unknown as Timer,
  clearTimer: (timer) => clearTimeout(timer as number),
  endOfTurn: (callback) => queueMicrotask(callback),
  nextTask: (callback) => {
    setTimeout(callback, 0);
  },
};
