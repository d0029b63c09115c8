import { describe, expect, it } from "vitest";
import { Admissions } from "./admissions.ts";

const UNLIMITED = { maxConnections: 1000, maxPendingHandshakes: 1000, maxConnectionsPerAddress: 1000 };

function statusOf(action: () => unknown): number | undefined {
  try {
    action();
  } catch (error) {
    return (error as { statusCode?: number }).statusCode;
  }
  return undefined;
}

describe("Admissions (RFC 6455 §10.1, H32)", () => {
  it("refuses with 503 above maxConnections, handshakes included, until one is gone", () => {
    const admissions = new Admissions({ ...UNLIMITED, maxConnections: 2 });
    const first = admissions.admit("192.0.2.1");
    admissions.admit("192.0.2.2").open();
    expect(statusOf(() => admissions.admit("192.0.2.3"))).toBe(503);
    first.release();
    expect(statusOf(() => admissions.admit("192.0.2.3"))).toBeUndefined();
  });

  it("refuses with 503 above maxPendingHandshakes; an open connection is not pending", () => {
    const admissions = new Admissions({ ...UNLIMITED, maxPendingHandshakes: 1 });
    const first = admissions.admit("192.0.2.1");
    expect(statusOf(() => admissions.admit("192.0.2.2"))).toBe(503);
    first.open();
    expect(statusOf(() => admissions.admit("192.0.2.2"))).toBeUndefined();
  });

  it("refuses with 429 above maxConnectionsPerAddress, other addresses not", () => {
    const admissions = new Admissions({ ...UNLIMITED, maxConnectionsPerAddress: 1 });
    const first = admissions.admit("2001:db8::1");
    expect(statusOf(() => admissions.admit("2001:db8::2"))).toBe(429);
    expect(statusOf(() => admissions.admit("2001:db9::1"))).toBeUndefined();
    first.open();
    expect(statusOf(() => admissions.admit("2001:db8::2"))).toBe(429);
    first.release();
    expect(statusOf(() => admissions.admit("2001:db8::2"))).toBeUndefined();
  });

  it("counts a second release() and a late open() for nothing", () => {
    const admissions = new Admissions({ ...UNLIMITED, maxConnections: 2 });
    const admission = admissions.admit("a");
    admission.release();
    admission.release();
    admission.open();
    expect([admissions.pendingCount, admissions.openCount]).toEqual([0, 0]);
    const other = admissions.admit("a");
    other.open();
    other.open();
    expect([admissions.pendingCount, admissions.openCount]).toEqual([0, 1]);
  });

  it("says which limit it was, and when to come back", () => {
    const admissions = new Admissions({ ...UNLIMITED, maxConnections: 0 });
    expect(() => admissions.admit("a")).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("maxConnections"),
        refusal: expect.objectContaining({ fields: [["Retry-After", "5"]] }),
      }),
    );
  });
});
