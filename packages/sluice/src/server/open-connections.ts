import type { Duplex } from "node:stream";
import type { Clock } from "../connection/clock.ts";
import type { StreamMetrics } from "../connection/connection-metrics.ts";
import { closeValidated } from "../streams/websocket-stream.ts";
import { type ResolvedDrainOptions, spread } from "./drain.ts";
import { type Member, MemberList } from "./member-list.ts";
import type { ServerWebSocketStream } from "./server-websocket-stream.ts";

/** One connection of a server, until its socket is gone. */
export interface OpenConnection extends Member {
  readonly stream: ServerWebSocketStream;
  readonly socket: Duplex;
}

/**
 * The connections of a server. One belongs to it until its socket is closed, which may be a little after `closed` settled:
 * when the set is empty no socket is left that would keep the process alive.
 */
export class OpenConnections {
  readonly #clock: Clock;
  readonly #connections = new MemberList<OpenConnection>();
  readonly #drained = new WeakSet<ServerWebSocketStream>();
  #emptyListeners: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Of each. */
  *metrics(): Generator<StreamMetrics> {
    for (const { stream } of this.#connections.toArray()) yield stream.metrics();
  }

  /** Whether `drain` has closed it. */
  isDrained(stream: ServerWebSocketStream): boolean {
    return this.#drained.has(stream);
  }

  add(connection: OpenConnection): void {
    this.#connections.add(connection);
  }

  /** To be called when its socket is closed. @returns whether it was here */
  remove(connection: OpenConnection): boolean {
    const wasHere = this.#connections.delete(connection);
    this.#notifyWhenEmpty();
    return wasHere;
  }

  /** Closes what is there now, spread over time, and cuts off what is left at the deadline. Fulfils when nothing is. */
  async drain(options: ResolvedDrainOptions): Promise<void> {
    const stopSpreading = spread(this.#connections.toArray(), options.spreadMs, this.#clock, ({ stream }) => {
      this.#drained.add(stream);
      closeValidated(stream, options.closeCode, options.reason);
    });
    const deadline = this.#clock.setTimer(() => {
      stopSpreading();
      this.#destroyAll();
    }, options.deadlineMs);
    await this.#whenEmpty();
    stopSpreading();
    this.#clock.clearTimer(deadline);
    // A connection tells of its end in the task after that of its socket: then it is counted, and its `closed` settled.
    await new Promise<void>((resolve) => this.#clock.nextTask(resolve));
  }

  #destroyAll(): void {
    for (const { socket } of this.#connections.toArray()) socket.destroy();
  }

  #whenEmpty(): Promise<void> {
    return new Promise((resolve) => {
      this.#emptyListeners.push(resolve);
      this.#notifyWhenEmpty();
    });
  }

  #notifyWhenEmpty(): void {
    if (this.#connections.size > 0) return;
    const listeners = this.#emptyListeners;
    this.#emptyListeners = [];
    for (const listener of listeners) listener();
  }
}
