import type { Duplex } from "node:stream";
import type { ConnectionCounters, ConnectionResult } from "../connection/connection.ts";
import type { ConnectionWatcher } from "../connection/connection-watcher.ts";
import { type DiagnosedConnection, nextConnectionId, publish, publishEnd } from "../node/diagnostics.ts";
import type { Admission } from "./admissions.ts";
import type { BroadcastMiss } from "./broadcast.ts";
import type { Tally } from "./metrics-tally.ts";
import type { OpenConnection, OpenConnections } from "./open-connections.ts";
import type { ServerWebSocketStream } from "./server-websocket-stream.ts";

/**
 * One connection as its server counts it.
 *
 * While the socket is there the server adds up what the connection has counted itself. When it is gone that is folded into the
 * server's totals. Messages that were received before may be read later still; they are added when the connection has ended,
 * and for that the server need not keep a connection whose reader never comes back.
 */
export class ServedConnection implements OpenConnection, ConnectionWatcher {
  readonly #tally: Tally;
  readonly #connections: OpenConnections;
  readonly #admission: Admission;
  place = -1;
  /** Set before anything can happen. */
  stream!: ServerWebSocketStream;
  socket!: Duplex;
  #folded: ConnectionCounters | null = null;
  #described: DiagnosedConnection | null = null;

  constructor(tally: Tally, connections: OpenConnections, admission: Admission) {
    this.#tally = tally;
    this.#connections = connections;
    this.#admission = admission;
  }

  onOpen(info: { protocol: string; extensions: string; isReadStatically: boolean }): void {
    this.#admission.open();
    this.#connections.add(this);
    this.#tally.countOpen(this.#connections.size, info.isReadStatically);
    const { protocol, extensions } = info;
    publish("sluice:connection:open", () => ({ connection: this.#describe(), protocol, extensions }));
  }

  onRoundTrip(rttMs: number): void {
    this.#tally.countRoundTrip(rttMs);
    publish("sluice:keepalive:rtt", () => ({ connection: this.#describe(), rttMs }));
  }

  onEnded(result: ConnectionResult): void {
    this.#tally.countEnd(result);
    if (this.#folded !== null) this.#fold(this.#folded);
    publishEnd(
      () => this.#describe(),
      result,
      () => this.stream.metrics(),
    );
  }

  onTransportClosed(): void {
    if (!this.#connections.remove(this)) return;
    this.#admission.release();
    this.#fold(undefined);
  }

  onBroadcastMissed(why: BroadcastMiss): void {
    this.#tally.countMiss(why);
    publish("sluice:broadcast:missed", () => ({ connection: this.#describe(), why }));
  }

  #fold(before: ConnectionCounters | undefined): void {
    const counters = this.stream.metrics();
    this.#tally.fold(counters, before);
    this.#folded = counters;
  }

  #describe(): DiagnosedConnection {
    const { stream } = this;
    const { url, remoteAddress } = stream;
    const { server } = this.#tally;
    const metrics = () => stream.metrics();
    this.#described ??= { id: nextConnectionId(), role: "server", url, remoteAddress, stream, server, metrics };
    return this.#described;
  }
}
