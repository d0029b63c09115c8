import type {
  ConnectionCounters,
  ConnectionObserver,
  ConnectionResult,
} from "../../sluice/src/connection/connection.ts";
import { ReadyState } from "../../sluice/src/protocol/ready-state.ts";

/** What the two kinds of connections of a page have in common: the states, the counters, and what a page does not have. */
export class PageConnection {
  readonly flowControl = "none";
  readonly remoteAddress: string = "";
  readonly sentPayloadBytes: number = 0;
  readonly isStalled: boolean = false;
  readonly isMemoryTight: boolean = false;
  /** Pings and their answers are out of a page's sight too. */
  readonly rttMs: null = null;
  readonly credit: null = null;
  /** Payload bytes only: frames are out of a page's sight. */
  readonly counters: { -readonly [K in keyof ConnectionCounters]: number } = {
    messagesReceived: 0,
    messagesSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
  };
  protected observer: ConnectionObserver | null = null;
  #readyState: ReadyState = ReadyState.OPEN;

  get readyState(): ReadyState {
    return this.#readyState;
  }

  get queuedBytes(): number {
    return 0;
  }

  get heldBytes(): { in: number; out: number } {
    return { in: 0, out: this.queuedBytes };
  }

  start(observer: ConnectionObserver): void {
    this.observer = observer;
  }

  /** Broadcasting is for servers. */
  sendShared(): never {
    throw new Error("Cannot share a frame in a page");
  }

  get isRoomy(): boolean {
    return true;
  }

  onRoomy(callback: (isRoomy: boolean) => void): void {
    callback(true);
  }

  setDemand(_hasDemand: boolean): void {}

  discard(): void {}

  setReferenced(_isReferenced: boolean): void {}

  protected countSent(byteLength: number): void {
    this.counters.messagesSent++;
    this.counters.bytesSent += byteLength;
  }

  protected deliver(message: string | Uint8Array<ArrayBuffer>, byteLength: number): void {
    this.counters.messagesReceived++;
    this.counters.bytesReceived += message.length;
    this.observer?.onMessage(message, byteLength);
  }

  protected beginClose(initiator: "local" | "remote"): void {
    if (this.#readyState !== ReadyState.OPEN) return;
    this.#readyState = ReadyState.CLOSING;
    this.observer?.onCloseStarted(initiator);
  }

  protected finish(result: ConnectionResult): void {
    if (this.#readyState === ReadyState.CLOSED) return;
    if (result.isCloseReceived) this.beginClose("remote");
    this.#readyState = ReadyState.CLOSED;
    this.observer?.onClosed(result);
  }
}
