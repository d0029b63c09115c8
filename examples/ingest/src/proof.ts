import { Checksum } from "./checksum.ts";
import { formatBytes, formatCount } from "./format.ts";
import { BOUND_IN_BYTES, BOUND_OUT_BYTES } from "./limits.ts";
import type { ClientResult } from "./processes.ts";
import type { Stock } from "./read-back.ts";
import type { SideSnapshot } from "./snapshot.ts";

/** One thing that has to be so. */
export interface Check {
  readonly name: string;
  readonly isMet: boolean;
  /** The numbers, for people. */
  readonly found: string;
  readonly expected: string;
}

/** What there is to judge by. */
export interface Evidence {
  /** What each client sent and got a receipt for; null if no fleet ran here. */
  readonly clients: readonly ClientResult[] | null;
  /** What the database file holds; null if there is none here. */
  readonly stock: Stock | null;
  /** What the server's process says that it has committed; null if none ran here. */
  readonly committedRecords: number | null;
  readonly fleet: SideSnapshot | null;
  readonly server: SideSnapshot | null;
  readonly memoryLimitBytes: number;
}

/** Everything that has to be so, met or not. */
export function prove(evidence: Evidence): Check[] {
  return [...proveRecords(evidence), ...proveMemory(evidence)];
}

function proveRecords({ clients, stock, committedRecords }: Evidence): Check[] {
  const checks: Check[] = [];
  if (clients !== null) {
    const sent = new Checksum();
    const receipts = new Checksum();
    for (const client of clients) {
      sent.addAll(Checksum.parse(client.sentChecksum, client.sentRecords));
      receipts.addAll(Checksum.parse(client.storedChecksum, client.storedRecords));
    }
    const isAcknowledged = clients.every(
      (client) => client.sentRecords === client.storedRecords && client.sentChecksum === client.storedChecksum,
    );
    checks.push({
      name: "Receipts of the clients",
      isMet: isAcknowledged,
      found: formatCount(receipts.count),
      expected: `${formatCount(sent.count)} sent`,
    });
    if (stock !== null) {
      checks.push(equal("Rows in the database", formatCount(stock.records), formatCount(sent.count), "sent"));
      checks.push(equal("Checksum, read back", stock.checksum, sent.toString(), "sent"));
    }
  } else if (stock !== null && committedRecords !== null) {
    checks.push(equal("Rows in the database", formatCount(stock.records), formatCount(committedRecords), "committed"));
  }
  if (stock !== null) {
    checks.push({
      name: "Gaps and doubles",
      isMet: stock.isGapFree,
      found: stock.isGapFree ? "none" : "some",
      expected: "none",
    });
  }
  return checks;
}

function proveMemory({ fleet, server, memoryLimitBytes }: Evidence): Check[] {
  const checks: Check[] = [];
  if (server !== null) checks.push(atMost("Most held per connection, server", server.peakHeldBytes, BOUND_IN_BYTES));
  if (fleet !== null) checks.push(atMost("Most held per connection, fleet", fleet.peakHeldBytes, BOUND_OUT_BYTES));
  if (server !== null) checks.push(atMost("Peak memory of the server", server.peakRssBytes, memoryLimitBytes));
  if (fleet !== null) checks.push(atMost("Peak memory of the fleet", fleet.peakRssBytes, memoryLimitBytes));
  return checks;
}

function equal(name: string, found: string, expected: string, unit: string): Check {
  return { name, isMet: found === expected, found, expected: `${expected} ${unit}` };
}

function atMost(name: string, bytes: number, limitBytes: number): Check {
  return {
    name,
    isMet: bytes <= limitBytes,
    found: formatBytes(bytes),
    expected: `at most ${formatBytes(limitBytes)}`,
  };
}
