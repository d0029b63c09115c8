import type { Connection, ConnectionResult } from "../connection/connection.ts";
import { readMetrics } from "../connection/connection-metrics.ts";
import type { ConnectionWatcher } from "../connection/connection-watcher.ts";
import {
  CHANNEL_NAMES,
  type DiagnosedConnection,
  hasSubscribers,
  nextConnectionId,
  publish,
  publishEnd,
  withoutUserInformation,
} from "./diagnostics.ts";

/** Publishes what happens to a client's connection. */
export class ClientWatcher implements ConnectionWatcher {
  readonly #url: URL;
  #connection: Connection | null = null;
  #described: DiagnosedConnection | null = null;

  /** @returns null if nobody listens: then nothing is kept, and who subscribes later hears of later connections */
  static create(url: URL): ClientWatcher | null {
    return CHANNEL_NAMES.some(hasSubscribers) ? new ClientWatcher(url) : null;
  }

  constructor(url: URL) {
    this.#url = url;
  }

  onOpen(connection: Connection, info: { protocol: string; extensions: string }): void {
    this.#connection = connection;
    void connection.remoteAddress; // which can be asked for only while it is there
    const { protocol, extensions } = info;
    publish("sluice:connection:open", () => ({ connection: this.#describe(), protocol, extensions }));
  }

  onRoundTrip(rttMs: number): void {
    publish("sluice:keepalive:rtt", () => ({ connection: this.#describe(), rttMs }));
  }

  onEnded(result: ConnectionResult): void {
    const connection = this.#connection as Connection;
    publishEnd(
      () => this.#describe(),
      result,
      () => connection.counters,
    );
  }

  onTransportClosed(): void {}

  #describe(): DiagnosedConnection {
    const connection = this.#connection as Connection;
    this.#described ??= {
      id: nextConnectionId(),
      role: "client",
      url: withoutUserInformation(this.#url),
      remoteAddress: connection.remoteAddress,
      stream: null,
      server: null,
      metrics: () => readMetrics(connection),
    };
    return this.#described;
  }
}
