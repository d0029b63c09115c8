import type { IncomingMessage } from "node:http";
import type { Budget, BudgetEvent } from "../connection/budget.ts";
import { type ConnectionCounters, type ConnectionResult, NO_COUNTERS } from "../connection/connection.ts";
import { getCodeAndLimit, getVerdict, publish } from "../node/diagnostics.ts";
import { getPlatformFallbacks } from "../node/platform-fallbacks.ts";
import type { BroadcastMiss } from "./broadcast.ts";
import { MAX_PEER_KEYS, type ServerMetrics } from "./metrics.ts";
import { limitOf, type Refusal, reasonOf } from "./refusal.ts";

/** What is counted where it happens; all of it is rare. What happens per message is counted by each connection for itself. */
export class Tally {
  /** The `WebSocketStreamServer`, as subscribers see it. */
  readonly server: object;
  /** Of connections whose socket is gone. */
  readonly #ended: { -readonly [Name in keyof ConnectionCounters]: number } = { ...NO_COUNTERS };
  #connectionsTotal = 0;
  #connectionsPeak = 0;
  #handshakesRefused = 0;
  #handshakesLost = 0;
  #socketsDropped = 0;
  #tlsHandshakesFailed = 0;
  readonly #refusalsByReason = new Map<string, number>();
  #rttCount = 0;
  #rttSumMs = 0;
  #rttMaxMs = 0;
  #closesTotal = 0;
  #closesUnclean = 0;
  readonly #closesByCode = new Map<string, number>();
  #closeCodesOfPeers = 0;
  readonly #errorsByCode = new Map<string, number>();
  readonly #limitsByName = new Map<string, number>();
  readonly #verdicts = { dead: 0, stalled: 0, paused: 0 };
  readonly #budgetEvents = { soft: 0, hard: 0, givenUp: 0 };
  readonly #broadcastMissed = { slow: 0, replaced: 0, closed: 0 };
  #slowReads = 0;

  constructor(server: object) {
    this.server = server;
  }

  /** @param openCount how many are open now, this one included */
  countOpen(openCount: number, isReadStatically: boolean): void {
    this.#connectionsTotal++;
    if (!isReadStatically) this.#slowReads++;
    this.#connectionsPeak = Math.max(this.#connectionsPeak, openCount);
  }

  countRefusal(refusal: Refusal, remoteAddress: string, request: IncomingMessage | null): void {
    const { server } = this;
    const reason = reasonOf(refusal);
    const limit = limitOf(refusal);
    this.#handshakesRefused++;
    increment(this.#refusalsByReason, reason);
    if (limit !== null) this.#countRefusingLimit(limit);
    const { statusCode } = refusal;
    publish("sluice:handshake:refused", () => ({ server, request, remoteAddress, statusCode, reason }));
  }

  countLostHandshake(): void {
    this.#handshakesLost++;
  }

  countDroppedSocket(): void {
    this.#socketsDropped++;
    this.#countRefusingLimit("maxConnections");
  }

  countFailedTlsHandshake(): void {
    this.#tlsHandshakesFailed++;
  }

  countRoundTrip(rttMs: number): void {
    this.#rttCount++;
    this.#rttSumMs += rttMs;
    this.#rttMaxMs = Math.max(this.#rttMaxMs, rttMs);
  }

  countEnd({ closeCode, isClean, cause }: ConnectionResult): void {
    this.#closesTotal++;
    this.#countCloseCode(closeCode);
    if (isClean) return;
    this.#closesUnclean++;
    const { code, limit } = getCodeAndLimit(cause);
    increment(this.#errorsByCode, code ?? "other");
    if (limit !== null) increment(this.#limitsByName, limit);
    const verdict = getVerdict(code);
    if (verdict !== null) this.#verdicts[verdict]++;
  }

  countBudgetEvent(event: BudgetEvent, { usedBytes, hardBytes }: Budget): void {
    this.#budgetEvents[event]++;
    publish("sluice:budget", () => ({ server: this.server, event, usedBytes, hardBytes }));
  }

  countMiss(why: BroadcastMiss): void {
    this.#broadcastMissed[why]++;
  }

  /** Keeps what a connection has counted since `before`. */
  fold(counters: ConnectionCounters, before: ConnectionCounters = NO_COUNTERS): void {
    for (const name of COUNTER_NAMES) this.#ended[name] += counters[name] - before[name];
  }

  /** @param open of the connections that are not folded */
  snapshot(
    now: { connectionsOpen: number; handshakesPending: number; budget: Budget },
    open: Iterable<ConnectionCounters & { heldBytesIn: number; heldBytesOut: number }>,
  ): ServerMetrics {
    const { budget, ...gauges } = now;
    const sums = { ...this.#ended };
    let heldBytesIn = 0;
    let heldBytesOut = 0;
    for (const metrics of open) {
      for (const name of COUNTER_NAMES) sums[name] += metrics[name];
      heldBytesIn += metrics.heldBytesIn;
      heldBytesOut += metrics.heldBytesOut;
    }
    return {
      ...gauges,
      connectionsPeak: this.#connectionsPeak,
      connectionsTotal: this.#connectionsTotal,
      handshakesRefused: this.#handshakesRefused,
      handshakesLost: this.#handshakesLost,
      socketsDropped: this.#socketsDropped,
      tlsHandshakesFailed: this.#tlsHandshakesFailed,
      refusalsByReason: Object.fromEntries(this.#refusalsByReason),
      ...sums,
      heldBytesIn,
      heldBytesOut,
      heldBytesPeak: budget.peakBytes,
      rttCount: this.#rttCount,
      rttSumMs: this.#rttSumMs,
      rttMaxMs: this.#rttMaxMs,
      closesTotal: this.#closesTotal,
      closesUnclean: this.#closesUnclean,
      closesByCode: Object.fromEntries(this.#closesByCode),
      errorsByCode: Object.fromEntries(this.#errorsByCode),
      limitsByName: Object.fromEntries(this.#limitsByName),
      keepaliveVerdicts: { ...this.#verdicts },
      budgetBytes: budget.hardBytes,
      budgetSoftBytes: budget.softBytes,
      budgetUsedBytes: budget.usedBytes,
      budgetSoftHits: this.#budgetEvents.soft,
      budgetHardHits: this.#budgetEvents.hard,
      budgetGivenUp: this.#budgetEvents.givenUp,
      broadcastMissed: { ...this.#broadcastMissed },
      slowReads: this.#slowReads,
      fallbacks: getPlatformFallbacks(),
    };
  }

  #countRefusingLimit(limit: string): void {
    const { server } = this;
    increment(this.#limitsByName, limit);
    publish("sluice:limit", () => ({ limit, code: "ERR_SLUICE_UPGRADE_REFUSED", connection: null, server }));
  }

  #countCloseCode(closeCode: number): void {
    const key = String(closeCode);
    const isNewOfPeer = closeCode >= 3000 && !this.#closesByCode.has(key);
    if (isNewOfPeer && this.#closeCodesOfPeers === MAX_PEER_KEYS) {
      increment(this.#closesByCode, "other");
      return;
    }
    if (isNewOfPeer) this.#closeCodesOfPeers++;
    increment(this.#closesByCode, key);
  }
}

const COUNTER_NAMES = Object.keys(NO_COUNTERS) as (keyof ConnectionCounters)[];

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
