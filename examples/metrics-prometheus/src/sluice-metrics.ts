import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { DiagnosticsMessages } from "sluice";
import type { ServerMetrics, WebSocketStreamServer } from "sluice/server";

/** What one name on the page shows: its values, by label, out of the server's own. */
export interface Family {
  readonly type: "counter" | "gauge";
  readonly name: string;
  readonly help: string;
  /** What tells its values apart; null if there is one. */
  readonly label: string | null;
  read(metrics: ServerMetrics): Readonly<Record<string, number>>;
}

const one = (value: number): Record<string, number> => ({ "": value });
/** Prometheus counts in seconds. */
const seconds = (ms: number): number => ms / 1000;

/** All that the page shows of `server.metrics()`, without the prefix of their names. */
export const FAMILIES: readonly Family[] = [
  counter("connections_total", "Connections opened", null, (m) => one(m.connectionsTotal)),
  gauge("connections", "Connections open", null, (m) => one(m.connectionsOpen)),
  gauge("connections_peak", "The most connections at once", null, (m) => one(m.connectionsPeak)),
  gauge("handshakes_pending", "Handshakes that wait for their answer", null, (m) => one(m.handshakesPending)),
  counter("handshakes_refused_total", "Handshakes refused", "reason", (m) => m.refusalsByReason),
  counter("handshakes_lost_total", "Handshakes whose client went away", null, (m) => one(m.handshakesLost)),
  counter("sockets_dropped_total", "Sockets cut off before their request", null, (m) => one(m.socketsDropped)),
  counter("tls_handshakes_failed_total", "TLS handshakes that failed", null, (m) => one(m.tlsHandshakesFailed)),
  counter("messages_total", "Messages", "direction", (m) => ({ in: m.messagesReceived, out: m.messagesSent })),
  counter("bytes_total", "Bytes on the wire, above TLS", "direction", (m) => ({
    in: m.bytesReceived,
    out: m.bytesSent,
  })),
  gauge("held_bytes", "Bytes held in memory", "direction", (m) => ({ in: m.heldBytesIn, out: m.heldBytesOut })),
  gauge("held_bytes_peak", "The most bytes held at once", null, (m) => one(m.heldBytesPeak)),
  counter("open_seconds_total", "Time of all connections together", null, (m) => one(seconds(m.openMs))),
  counter("input_seconds_total", "Time of the receiving side; paused: our reader is slow", "state", (m) => ({
    paused: seconds(m.inputPausedMs),
    waiting: seconds(m.inputWaitingMs),
  })),
  counter("output_seconds_total", "Time of the sending side, by what it waited for", "state", (m) => ({
    idle: seconds(m.outputIdleMs),
    network: seconds(m.outputNetworkMs),
    peer: seconds(m.outputPeerMs),
  })),
  counter("pings_total", "Pings", "direction", (m) => ({ in: m.pingsReceived, out: m.pingsSent })),
  counter("pongs_received_total", "Answers to our Pings", null, (m) => one(m.pongsReceived)),
  gauge("rtt_max_seconds", "The longest round trip of a Ping", null, (m) => one(seconds(m.rttMaxMs))),
  counter("closes_total", "Connections ended", "code", (m) => m.closesByCode),
  counter("closes_unclean_total", "Connections that did not end as they should", null, (m) => one(m.closesUnclean)),
  counter("errors_total", "What the unclean ones ended of", "code", (m) => m.errorsByCode),
  counter("limits_total", "Connections ended and handshakes refused at a limit", "limit", (m) => m.limitsByName),
  counter("keepalive_verdicts_total", "Connections given up by the keepalive", "verdict", (m) => m.keepaliveVerdicts),
  gauge("budget_bytes", "The memory budget", "what", (m) => ({
    used: m.budgetUsedBytes,
    soft: m.budgetSoftBytes,
    hard: m.budgetBytes,
  })),
  counter("budget_events_total", "Marks of the budget passed, connections given up for it", "event", (m) => ({
    soft: m.budgetSoftHits,
    hard: m.budgetHardHits,
    given_up: m.budgetGivenUp,
  })),
  counter("broadcast_missed_total", "Messages of broadcasts that missed a connection", "why", (m) => m.broadcastMissed),
  counter("slow_reads_total", "Connections that are read the slower way", null, (m) => one(m.slowReads)),
  gauge("fallbacks", "1 for a faster way that this process lacks", "what", (m) => m.fallbacks),
];

/** A WebSocket server's numbers in a registry of prom-client. */
export class SluiceMetrics {
  readonly #server: WebSocketStreamServer;
  readonly #metrics: readonly { family: Family; metric: Counter | Gauge }[];
  readonly #roundTrips: Histogram;

  /** @param prefix of every name */
  constructor(server: WebSocketStreamServer, registry: Registry, prefix: string = "sluice_") {
    this.#server = server;
    this.#metrics = FAMILIES.map((family) => {
      const { type, help, label } = family;
      const options = { name: prefix + family.name, help, labelNames: label === null ? [] : [label] };
      const registers = [registry];
      const metric = type === "counter" ? new Counter({ ...options, registers }) : new Gauge({ ...options, registers });
      return { family, metric };
    });
    // The server counts round trips and knows the longest. For a histogram each is needed: a channel has them.
    this.#roundTrips = new Histogram({
      name: `${prefix}rtt_seconds`,
      help: "Round trips of Pings",
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [registry],
    });
    subscribe("sluice:keepalive:rtt", this.#onRoundTrip);
  }

  /** Takes one look at the server, to be called before the page is written: all its numbers are of the same moment. */
  update(): void {
    const metrics = this.#server.metrics();
    for (const { family, metric } of this.#metrics) {
      // The server has the totals; prom-client's counters only know how to add.
      metric.reset();
      for (const [key, value] of Object.entries(family.read(metrics))) {
        metric.inc(family.label === null ? {} : { [family.label]: key }, value);
      }
    }
  }

  /** Listens no longer. */
  close(): void {
    unsubscribe("sluice:keepalive:rtt", this.#onRoundTrip);
  }

  readonly #onRoundTrip = (message: unknown): void => {
    const { connection, rttMs } = message as DiagnosticsMessages["sluice:keepalive:rtt"];
    // Other servers and clients of this process publish there too.
    if (connection.server === this.#server) this.#roundTrips.observe(seconds(rttMs));
  };
}

function counter(name: string, help: string, label: string | null, read: Family["read"]): Family {
  return { type: "counter", name, help, label, read };
}

function gauge(name: string, help: string, label: string | null, read: Family["read"]): Family {
  return { type: "gauge", name, help, label, read };
}
