/** What carries a connection in a page: its `WebSocket`, or the browser's own `WebSocketStream`. */
export interface Carrier {
  /** Bytes that the browser has taken and not sent, as far as it says. */
  readonly unsentBytes: number;
  /** False when the server's Close was seen before its event came. What is sent then goes nowhere. */
  readonly isOpen: boolean;
  start(events: CarrierEvents): void;
  /** Whether messages are wanted. A WebSocket gives them in any case. */
  setDemand(hasDemand: boolean): void;
  /** @returns whether more may be sent at once; if not, `onRoom()` follows */
  send(data: string | Uint8Array): boolean;
  /** What was sent and is not out yet goes out first, as far as the browser cares for that. */
  close(closeCode: number | null, reason: string): void;
}

export interface CarrierEvents {
  onMessage(data: string | Uint8Array<ArrayBuffer>): void;
  onRoom(): void;
  /** The server's Close is here; messages that came before it may still follow. */
  onRemoteClose(): void;
  /** The connection has ended: 1006 without a Close. */
  onClosed(isClean: boolean, closeCode: number, reason: string): void;
}
