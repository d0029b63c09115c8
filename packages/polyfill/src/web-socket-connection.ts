import { Deadline } from "../../sluice/src/connection/clock.ts";
import type { ConnectionObserver, ConnectionResult } from "../../sluice/src/connection/connection.ts";
import { SendTicket } from "../../sluice/src/connection/send-ticket.ts";
import type { ConnectionSurface } from "../../sluice/src/flow-control/flow-connection.ts";
import { ReadyState } from "../../sluice/src/protocol/ready-state.ts";
import { browserClock } from "./browser-clock.ts";
import { DrainPoll } from "./drain-poll.ts";
import { PageConnection } from "./page-connection.ts";

/**
 * The page's `WebSocket` as a connection. It cannot be paused: messages come as the browser delivers them, whether there
 * is demand or not. What holds them, and what limits them, stands above.
 */
export class WebSocketConnection extends PageConnection implements ConnectionSurface {
  readonly #socket: WebSocket;
  readonly #sendLimitBytes: number;
  readonly #closeTimeoutMs: number;
  readonly #waiting: SendTicket[] = [];
  readonly #poll: DrainPoll;
  readonly #deadline: Deadline = new Deadline(browserClock);
  #unsentBytes = 0;

  /** @param socket open, with binaryType "arraybuffer" */
  constructor(socket: WebSocket, sendLimitBytes: number, closeTimeoutMs: number) {
    super();
    this.#socket = socket;
    this.#sendLimitBytes = sendLimitBytes;
    this.#closeTimeoutMs = closeTimeoutMs;
    this.#poll = new DrainPoll(() => this.#checkDrained());
  }

  override get queuedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  override start(observer: ConnectionObserver): void {
    super.start(observer);
    this.#socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.deliver(data, -1);
      else this.deliver(new Uint8Array(data), data.byteLength);
    };
    this.#socket.onclose = ({ wasClean, code, reason }) => {
      // With our own Close in front of it everything was sent; else what the browser still has will never be.
      if (wasClean && (this.readyState === ReadyState.CLOSING || this.#socket.bufferedAmount === 0)) this.#settle();
      this.#finish({
        isClean: wasClean,
        hasFailed: !wasClean,
        isCloseReceived: code !== 1006,
        closeCode: code,
        reason,
        cause: null,
      });
    };
  }

  send(data: string | Uint8Array): SendTicket | null {
    const byteLength = typeof data === "string" ? data.length : data.byteLength;
    const socket = this.#socket;
    // The peer's Close shows in the state before its event comes. What is sent then goes nowhere.
    if (socket.readyState === 1) {
      socket.send(data as string);
      this.countSent(byteLength);
      if (socket.bufferedAmount <= this.#sendLimitBytes) return null;
    }
    const ticket = new SendTicket(byteLength);
    this.#waiting.push(ticket);
    this.#unsentBytes = socket.bufferedAmount;
    this.#poll.start();
    return ticket;
  }

  startClose(closeCode: number | null, reason: string): void {
    if (this.readyState !== ReadyState.OPEN) return;
    this.beginClose("local");
    this.#setDeadline();
    this.#closeSocket(closeCode, reason);
  }

  fail(closeCode: number, reason: string, cause: Error | null): void {
    if (this.readyState === ReadyState.CLOSED) return;
    // A page may only send 1000 and 3000 to 4999; 1009 is the only other one that comes here.
    this.#closeSocket(closeCode < 3000 ? closeCode + 3000 : closeCode, reason);
    this.#finishLater(cause);
  }

  destroy(): void {
    if (this.readyState === ReadyState.CLOSED) return;
    this.#socket.close();
    this.#finishLater(null);
  }

  #closeSocket(closeCode: number | null, reason: string): void {
    // Chromium takes an explicit undefined for a code.
    if (closeCode === null) this.#socket.close();
    else this.#socket.close(closeCode, reason);
  }

  #setDeadline(): void {
    // D-15: restarted by progress, which is all that can be seen of it.
    this.#unsentBytes = this.#socket.bufferedAmount;
    this.#deadline.set(this.#closeTimeoutMs, () => {
      if (this.#socket.bufferedAmount < this.#unsentBytes) this.#setDeadline();
      else this.destroy();
    });
  }

  #finishLater(cause: Error | null): void {
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    const result = { isClean: false, hasFailed: true, isCloseReceived: false, closeCode: 1006, reason: "", cause };
    browserClock.nextTask(() => this.#finish(result));
  }

  #finish(result: ConnectionResult): void {
    this.#poll.stop();
    this.#deadline.clear();
    this.finish(result);
  }

  /** Half the limit, so that the poll is not needed for each message anew. */
  #checkDrained(): boolean {
    const unsent = this.#socket.bufferedAmount;
    if (unsent > this.#sendLimitBytes / 2) {
      if (unsent < this.#unsentBytes) this.#poll.start();
      this.#unsentBytes = unsent;
      return false;
    }
    if (this.#socket.readyState === 1) this.#settle();
    return this.#waiting.length === 0;
  }

  #settle(): void {
    for (const ticket of this.#waiting.splice(0)) ticket.settle(true);
  }
}
