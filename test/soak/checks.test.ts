import { describe, expect, it } from "vitest";
import { createChecks } from "./checks.ts";
import { FAULT_CHECKS, type FaultCategory } from "./fault.ts";
import { Ledger } from "./ledger.ts";
import type { Measurement, RunRecord } from "./record.ts";

const MIB = 2 ** 20;

function measure(atMs: number, open: number, heapUsed: number, pings = 3): Measurement {
  const memory = { heapUsed, external: 0, arrayBuffers: 0, rss: 0 };
  const counts = { opened: 0, sent: 0, received: 0, sentBytes: 0, receivedBytes: 0, pending: 0, pings };
  return {
    atMs,
    sample: { ...memory, resources: { TCPSocketWrap: open } },
    traffic: { ...counts, open, openedByKind: {}, heldIn: 0, heldOut: 0, metrics: [] },
  };
}

/** The names of the checks that fail. */
function findFailed(record: Partial<RunRecord>): string[] {
  const outcome = {
    ledger: new Ledger(),
    record: {
      server: { title: "server", measurements: [measure(0, 0, MIB)] },
      client: { title: "client", measurements: [measure(0, 0, MIB)] },
      atRestBefore: measure(0, 0, MIB),
      atRestAfter: measure(0, 0, MIB),
      faults: [],
      ranMs: 120_000,
      warmUpMs: 30_000,
      runMs: 120_000,
      stallMs: 60_000,
      stalledConnections: 0,
      kills: 0,
      ...record,
    },
  };
  outcome.ledger.counts.sessions = 1;
  return createChecks(outcome)
    .filter(({ isOk }) => !isOk)
    .map(({ name }) => name);
}

/** A measurement every two seconds. */
function watch(heapAt: (index: number) => number, openAt: (index: number) => number = () => 1_000) {
  return {
    title: "server",
    measurements: Array.from({ length: 60 }, (_, index) => measure(index * 2_000, openAt(index), heapAt(index))),
  };
}

describe("createChecks()", () => {
  it("finds nothing in a run in which nothing happened that must not", () => {
    expect(findFailed({ server: watch(() => 100 * MIB) })).toEqual([]);
  });

  it("finds a heap that grows", () => {
    expect(findFailed({ server: watch((index) => (100 + index) * MIB) })).toEqual(["server: heapUsed did not grow"]);
  });

  it("does not count the warm-up", () => {
    expect(findFailed({ server: watch((index) => (index < 15 ? index : 100) * MIB) })).toEqual([]);
  });

  it("does not take connections that come back for growth", () => {
    const openAt = (index: number) => (index < 30 ? 500 : 1_000);
    expect(findFailed({ server: watch((index) => openAt(index) * 80_000, openAt) })).toEqual([]);
  });

  it("finds handles that grow", () => {
    const server = watch(() => 100 * MIB);
    const leaky = server.measurements.map((measurement, index) => ({
      ...measurement,
      sample: { ...measurement.sample, resources: { Timeout: index * 10 } },
    }));
    expect(findFailed({ server: { ...server, measurements: leaky } })).toEqual(["server: Timeout did not grow"]);
  });

  it.each(Object.entries(FAULT_CHECKS))("fails for a fault of category %s", (category, name) => {
    expect(findFailed({ faults: [{ category: category as FaultCategory, text: "" }] })).toEqual([name]);
  });

  it("asks for the full stalls of a run that was long enough", () => {
    const lived = "stalled connections lived, and delivered everything then";
    expect(findFailed({ stalledConnections: 1 })).toEqual([lived]);
    expect(findFailed({ stalledConnections: 1, ranMs: 100_000 })).toEqual([]);
  });

  it("asks for a Ping in every second interval of a stall, at each end", () => {
    const rare = [measure(0, 0, MIB, 2)];
    const failure = "heartbeats went on in the meantime";
    expect(findFailed({ server: { title: "server", measurements: rare } })).toEqual([`server: ${failure}`]);
    expect(findFailed({ client: { title: "client", measurements: rare } })).toEqual([`client: ${failure}`]);
    expect(findFailed({ client: { title: "client", measurements: rare }, ranMs: 100_000 })).toEqual([]);
    expect(findFailed({ client: { title: "client", measurements: rare }, stallMs: 50_000 })).toEqual([]);
  });

  it("finds handles and memory that are left when all connections have gone", () => {
    expect(findFailed({ atRestAfter: measure(0, 3, MIB) })).toEqual([
      "at rest the server has no connections",
      "at rest the server has the handles of its start",
    ]);
    expect(findFailed({ atRestAfter: measure(0, 0, 30 * MIB) })).toEqual(["at rest the server's heap is small again"]);
    expect(findFailed({ atRestAfter: null })).toEqual(["the server was measured at rest"]);
  });
});
