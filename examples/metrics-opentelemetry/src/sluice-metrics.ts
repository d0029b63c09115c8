import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { BatchObservableResult, Meter, MetricOptions, Observable } from "@opentelemetry/api";
import type { DiagnosticsMessages } from "sluice";
import type { ServerMetrics, WebSocketStreamServer } from "sluice/server";

/** What one instrument observes: its values, by attribute, out of the server's own. */
export interface Family {
  /** A total only grows; a level goes both ways, and adds up over several servers. */
  readonly type: "total" | "level";
  readonly name: string;
  readonly options: MetricOptions;
  /** What tells its values apart; null if there is one. */
  readonly attribute: string | null;
  read(metrics: ServerMetrics): Readonly<Record<string, number>>;
}

const one = (value: number): Record<string, number> => ({ "": value });
/** OpenTelemetry counts in seconds. */
const seconds = (ms: number): number => ms / 1000;
const BYTES = "By";
const SECONDS = "s";

/** All that is observed of `server.metrics()`, without the prefix of their names. */
export const FAMILIES: readonly Family[] = [
  total("connections.opened", "Connections opened", "{connection}", null, (m) => one(m.connectionsTotal)),
  level("connections", "Connections open", "{connection}", null, (m) => one(m.connectionsOpen)),
  level("handshakes.pending", "Handshakes that wait", "{handshake}", null, (m) => one(m.handshakesPending)),
  total("handshakes.refused", "Handshakes refused", "{handshake}", "reason", (m) => m.refusalsByReason),
  total("handshakes.lost", "Handshakes whose client went away", "{handshake}", null, (m) => one(m.handshakesLost)),
  total("sockets.dropped", "Sockets cut off before their request", "{socket}", null, (m) => one(m.socketsDropped)),
  total("tls.failed", "TLS handshakes that failed", "{handshake}", null, (m) => one(m.tlsHandshakesFailed)),
  total("messages", "Messages", "{message}", "direction", (m) => ({ in: m.messagesReceived, out: m.messagesSent })),
  total("io", "Bytes on the wire, above TLS", BYTES, "direction", (m) => ({ in: m.bytesReceived, out: m.bytesSent })),
  level("held", "Bytes held in memory", BYTES, "direction", (m) => ({ in: m.heldBytesIn, out: m.heldBytesOut })),
  total("open", "Time of all connections together", SECONDS, null, (m) => one(seconds(m.openMs))),
  total("input", "Time of the receiving side; paused: our reader is slow", SECONDS, "state", (m) => ({
    paused: seconds(m.inputPausedMs),
    waiting: seconds(m.inputWaitingMs),
  })),
  total("output", "Time of the sending side, by what it waited for", SECONDS, "state", (m) => ({
    idle: seconds(m.outputIdleMs),
    network: seconds(m.outputNetworkMs),
    peer: seconds(m.outputPeerMs),
  })),
  total("pings", "Pings", "{ping}", "direction", (m) => ({ in: m.pingsReceived, out: m.pingsSent })),
  total("pongs", "Answers to our Pings", "{pong}", null, (m) => one(m.pongsReceived)),
  total("closes", "Connections ended", "{connection}", "code", (m) => m.closesByCode),
  total("closes.unclean", "Connections that did not end as they should", "{connection}", null, (m) =>
    one(m.closesUnclean),
  ),
  total("errors", "What the unclean ones ended of", "{connection}", "code", (m) => m.errorsByCode),
  total("limits", "Connections ended and handshakes refused at a limit", "{event}", "limit", (m) => m.limitsByName),
  total("keepalive.verdicts", "Connections given up", "{connection}", "verdict", (m) => m.keepaliveVerdicts),
  level("budget.used", "What is charged to the memory budget", BYTES, null, (m) => one(m.budgetUsedBytes)),
  level("budget.limit", "The memory budget's marks", BYTES, "mark", (m) => ({
    soft: m.budgetSoftBytes,
    hard: m.budgetBytes,
  })),
  total("budget.events", "Marks passed, connections given up", "{event}", "event", (m) => ({
    soft: m.budgetSoftHits,
    hard: m.budgetHardHits,
    given_up: m.budgetGivenUp,
  })),
  total("broadcast.missed", "Messages that missed a connection", "{message}", "why", (m) => m.broadcastMissed),
  total("slow_reads", "Connections that are read the slower way", "{connection}", null, (m) => one(m.slowReads)),
  level("fallbacks", "1 for a faster way that this process lacks", "{fallback}", "what", (m) => m.fallbacks),
];

/**
 * Has a meter observe a WebSocket server. The server is asked once for each collection, so that all numbers are of the same
 * moment, and between two collections nothing is done.
 *
 * @param prefix of every name
 * @returns a function that ends it
 */
export function observeServer(server: WebSocketStreamServer, meter: Meter, prefix: string = "sluice."): () => void {
  const instruments = FAMILIES.map((family) => {
    const name = prefix + family.name;
    const instrument: Observable =
      family.type === "total"
        ? meter.createObservableCounter(name, family.options)
        : meter.createObservableUpDownCounter(name, family.options);
    return { family, instrument };
  });
  const observables = instruments.map(({ instrument }) => instrument);
  const observe = (result: BatchObservableResult): void => {
    const metrics = server.metrics();
    for (const { family, instrument } of instruments) {
      for (const [key, value] of Object.entries(family.read(metrics))) {
        result.observe(instrument, value, family.attribute === null ? {} : { [family.attribute]: key });
      }
    }
  };
  meter.addBatchObservableCallback(observe, observables);
  // The server counts round trips and knows the longest. For a histogram each is needed: a channel has them.
  const roundTrips = meter.createHistogram(`${prefix}rtt`, {
    description: "Round trips of Pings",
    unit: SECONDS,
    // The SDK's own are made for milliseconds: all would fall into the first.
    advice: { explicitBucketBoundaries: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
  });
  const onRoundTrip = (message: unknown): void => {
    const { connection, rttMs } = message as DiagnosticsMessages["sluice:keepalive:rtt"];
    // Other servers and clients of this process publish there too.
    if (connection.server === server) roundTrips.record(seconds(rttMs));
  };
  subscribe("sluice:keepalive:rtt", onRoundTrip);
  return () => {
    meter.removeBatchObservableCallback(observe, observables);
    unsubscribe("sluice:keepalive:rtt", onRoundTrip);
  };
}

function total(
  name: string,
  description: string,
  unit: string,
  attribute: string | null,
  read: Family["read"],
): Family {
  return { type: "total", name, options: { description, unit }, attribute, read };
}

function level(
  name: string,
  description: string,
  unit: string,
  attribute: string | null,
  read: Family["read"],
): Family {
  return { type: "level", name, options: { description, unit }, attribute, read };
}
