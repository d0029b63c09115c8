import { describe, expect, it } from "vitest";
import { Ledger } from "./ledger.ts";
import { createPlan, type Side } from "./plan.ts";
import type { SessionEnd } from "./session.ts";

const CLEAN = { isClean: true, closeCode: 1005, text: "" };
const LOST = { isClean: false, closeCode: 1006, text: "gone" };

function end(side: Side, values: Partial<SessionEnd> = {}): SessionEnd {
  return {
    id: "c1.0-5",
    side,
    plan: createPlan("c1.0-5", 3, 60_000),
    act: side === "client" ? "final" : null,
    attempted: 10,
    acknowledged: 10,
    received: 10,
    sentBytes: 1_000,
    hasReadFinal: side === "server",
    end: CLEAN,
    hasStalled: false,
    ...values,
  };
}

/** What the ledger says about one session. */
function judge(client: Partial<SessionEnd>, server: Partial<SessionEnd>) {
  const ledger = new Ledger();
  expect(ledger.add(end("server", server))).toEqual([]);
  const faults = ledger.add(end("client", client));
  expect(ledger.waitingCount).toBe(0);
  return {
    faults: faults.map(({ category }) => category),
    counts: ledger.counts,
    texts: faults.map(({ text }) => text),
  };
}

describe("Ledger, of a session that both ends agreed to end", () => {
  it("finds nothing when all arrived", () => {
    const { faults, counts } = judge({}, {});
    expect(faults).toEqual([]);
    expect(counts).toMatchObject({ sessions: 1, agreed: 1, acknowledged: 20, received: 20, bytes: 2_000, tails: 0 });
  });

  it("finds a lost message in each direction", () => {
    expect(judge({}, { received: 9 }).faults).toEqual(["lost"]);
    expect(judge({ received: 9 }, {}).texts).toEqual([expect.stringContaining("server to client of c1.0-5")]);
  });

  it("finds an end that was not clean", () => {
    expect(judge({ end: LOST }, {}).faults).toEqual(["unclean"]);
    expect(judge({}, { end: LOST }).faults).toEqual(["unclean"]);
  });

  it("finds messages that nobody wrote", () => {
    expect(judge({}, { received: 11 }).faults).toEqual(["invented"]);
  });
});

describe("Ledger, of a session that one end closed in haste", () => {
  it("asks for all that the closer wrote, and not for what was written to it", () => {
    const closer = { act: "hasty", received: 4 } as const;
    expect(judge(closer, { attempted: 11, end: LOST }).faults).toEqual([]);
    expect(judge(closer, { attempted: 11, end: LOST }).counts).toMatchObject({ hasty: 1, tails: 6 });
    expect(judge(closer, { received: 9 }).faults).toEqual(["lost"]);
  });

  it("asks the closer, but not the other, for a clean end", () => {
    expect(judge({ act: "hasty", end: LOST }, {}).faults).toEqual(["unclean"]);
    expect(judge({ act: "hasty" }, { end: LOST }).faults).toEqual([]);
  });
});

describe("Ledger, of a session that was killed", () => {
  it("allows a tail that did not arrive", () => {
    const { faults, counts } = judge({ act: "killed", end: LOST, received: 3 }, { end: LOST, received: 8 });
    expect(faults).toEqual([]);
    expect(counts).toMatchObject({ killed: 1, tails: 9 });
  });

  it("finds messages that nobody wrote", () => {
    expect(judge({ act: "killed", end: LOST }, { end: LOST, received: 11 }).faults).toEqual(["invented"]);
  });
});

describe("Ledger", () => {
  it("keeps the report of one end until its client's process is known to be gone", () => {
    const ledger = new Ledger();
    ledger.add(end("server", { end: LOST }));
    ledger.takeWidowed(() => false);
    expect(ledger.waitingCount).toBe(1);
    expect(ledger.describeWaiting()).toEqual(["c1.0-5: only the server ended (followed)"]);
    ledger.takeWidowed((id) => id.startsWith("c1.0-"));
    expect(ledger.waitingCount).toBe(0);
    expect(ledger.counts).toMatchObject({ sessions: 1, widowed: 1 });
  });

  it("keeps a client's report whose server's end is missing, whatever happens to clients", () => {
    const ledger = new Ledger();
    ledger.add(end("client"));
    ledger.takeWidowed(() => true);
    expect(ledger.waitingCount).toBe(1);
  });

  it("counts stalls that lasted in full", () => {
    expect(judge({ hasStalled: true }, {}).counts.fullStalls).toBe(1);
    expect(judge({}, { hasStalled: true }).counts.fullStalls).toBe(1);
    expect(judge({}, {}).counts.fullStalls).toBe(0);
  });
});
