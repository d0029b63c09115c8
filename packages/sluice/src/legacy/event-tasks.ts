import { realClock } from "#connect";

/*
 * The task source of all WebSockets of this process (spec-digest 4.4, D-26): one ordered queue, one event a task, and
 * every microtask that an event's listeners queued has run before the next event.
 *
 * A task is a tick that is asked for at the end of the turn: 170 ns where a task of the event loop costs 1,500. A run of
 * such ticks would keep timers and sockets waiting, so after some milliseconds it goes on in a real task.
 *
 * The queue has no bound by design (R10): the standard delivers whatever arrived. `awaitListeners` bounds it.
 */

/** How long events may follow each other without a turn for timers and sockets. */
const RUN_BUDGET_MS = 4;

/** Looking at the clock costs about as much as a tenth of an event. */
const EVENTS_PER_LOOK = 8;

/** Pairs of a task and its argument; what stands before `head` is done. */
const queue: unknown[] = [];
let head = 0;
let isScheduled = false;
let eventsInRun = 0;
let runStartedAt = 0;

/** Queues `task(detail)` behind all events that are queued. A pair, so that a message needs no closure. */
export function queueEventTask<T>(task: (detail: T) => void, detail: T): void {
  queue.push(task, detail);
  if (isScheduled) return;
  isScheduled = true;
  realClock.endOfTurn(startRun);
}

function startRun(): void {
  eventsInRun = 0;
  runStartedAt = realClock.now();
  runTask();
}

function runTask(): void {
  const task = queue[head] as (detail: unknown) => void;
  const detail = queue[head + 1];
  queue[head] = queue[head + 1] = undefined;
  head += 2;
  // The next one is asked for first, so that a task that throws does not end the run.
  scheduleNext();
  task(detail);
}

function scheduleNext(): void {
  if (head === queue.length) {
    queue.length = 0;
    head = 0;
    isScheduled = false;
    return;
  }
  if (head > 4096 && head * 2 > queue.length) {
    queue.splice(0, head);
    head = 0;
  }
  eventsInRun++;
  if (eventsInRun % EVENTS_PER_LOOK === 0 && realClock.now() - runStartedAt > RUN_BUDGET_MS)
    realClock.nextTask(startRun);
  else realClock.endOfTurn(runTask);
}
