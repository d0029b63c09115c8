import type { Carrier, CarrierEvents } from "./carrier.ts";
import { DrainPoll } from "./drain-poll.ts";

/** The page's `WebSocket`. It cannot be paused; what holds its messages, and what limits them, stands above. */
export class WebSocketCarrier implements Carrier {
  readonly #socket: WebSocket;
  readonly #sendLimitBytes: number;
  #poll!: DrainPoll;
  #lastUnsentBytes = 0;

  /** @param socket open, with binaryType "arraybuffer" */
  constructor(socket: WebSocket, sendLimitBytes: number) {
    this.#socket = socket;
    this.#sendLimitBytes = sendLimitBytes;
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === 1;
  }

  start(events: CarrierEvents): void {
    const socket = this.#socket;
    this.#poll = new DrainPoll(() => {
      const { unsentBytes } = this;
      // Half the limit, so that the poll is not needed for each message anew.
      if (unsentBytes * 2 > this.#sendLimitBytes && this.isOpen) {
        if (unsentBytes < this.#lastUnsentBytes) this.#poll.start();
        this.#lastUnsentBytes = unsentBytes;
        return false;
      }
      if (this.isOpen) events.onRoom();
      return true;
    });
    socket.onmessage = ({ data }) => events.onMessage(typeof data === "string" ? data : new Uint8Array(data));
    socket.onclose = ({ wasClean, code, reason }) => {
      this.#poll.end();
      events.onClosed(wasClean, code, reason);
    };
  }

  setDemand(): void {}

  send(data: string | Uint8Array): boolean {
    this.#socket.send(data as string);
    if (this.unsentBytes <= this.#sendLimitBytes) return true;
    this.#lastUnsentBytes = this.unsentBytes;
    this.#poll.start();
    return false;
  }

  close(closeCode: number | null, reason: string): void {
    // Chromium takes an explicit undefined for a code.
    if (closeCode === null) this.#socket.close();
    else this.#socket.close(closeCode, reason);
  }
}
