import { describe, expect, it } from "vitest";
import { BOUND_IN_BYTES, BOUND_OUT_BYTES } from "./limits.ts";
import { NO_PRESSURE } from "./pressure.ts";
import { type Evidence, prove } from "./proof.ts";
import type { SideSnapshot } from "./snapshot.ts";

const side: SideSnapshot = {
  connections: 0,
  heldBytes: 0,
  peakHeldBytes: BOUND_IN_BYTES,
  rssBytes: 1,
  peakRssBytes: 100,
  pressureMs: NO_PRESSURE,
  recentPressure: NO_PRESSURE,
};
const client = {
  client: 0,
  sentRecords: 2,
  sentChecksum: "00000000000000ff",
  storedRecords: 2,
  storedChecksum: "00000000000000ff",
};
const good: Evidence = {
  clients: [client, { ...client, client: 1 }],
  stock: { records: 4, checksum: "00000000000001fe", isGapFree: true },
  committedRecords: 4,
  fleet: { ...side, peakHeldBytes: BOUND_OUT_BYTES },
  server: side,
  memoryLimitBytes: 100,
};

function failures(evidence: Partial<Evidence>): string[] {
  return prove({ ...good, ...evidence }).flatMap(({ name, isMet }) => (isMet ? [] : [name]));
}

describe("prove", () => {
  it("is content when everything is as it should be, up to the last byte allowed", () => {
    expect(failures({})).toEqual([]);
    expect(prove(good)).toHaveLength(8);
  });

  it.each<[string, Partial<Evidence>]>([
    ["Receipts of the clients", { clients: [client, { ...client, storedChecksum: "00000000000000fe" }] }],
    ["Receipts of the clients", { clients: [client, { ...client, storedRecords: 3 }] }],
    ["Rows in the database", { stock: { records: 3, checksum: "00000000000001fe", isGapFree: true } }],
    ["Checksum, read back", { stock: { records: 4, checksum: "00000000000001ff", isGapFree: true } }],
    ["Gaps and doubles", { stock: { records: 4, checksum: "00000000000001fe", isGapFree: false } }],
    ["Most held per connection, server", { server: { ...side, peakHeldBytes: BOUND_IN_BYTES + 1 } }],
    ["Most held per connection, fleet", { fleet: { ...side, peakHeldBytes: BOUND_OUT_BYTES + 1 } }],
    ["Peak memory of the server", { server: { ...side, peakRssBytes: 101 } }],
    ["Peak memory of the fleet", { fleet: { ...side, peakRssBytes: 101 } }],
  ])("finds fault with: %s (%#)", (name, evidence) => {
    expect(failures(evidence)).toEqual([name]);
  });

  it("judges a server alone by what it committed", () => {
    expect(failures({ clients: null, fleet: null })).toEqual([]);
    expect(failures({ clients: null, fleet: null, committedRecords: 5 })).toEqual(["Rows in the database"]);
  });
});
