import { describe, expect, it, vi } from "vitest";
import type { ConnectionStatus, ServerStatus } from "./processes.ts";
import { Tracker } from "./tracker.ts";

const connection: ConnectionStatus = {
  client: 0,
  records: 0,
  wireBytes: 0,
  heldBytes: 0,
  peakHeldBytes: 0,
  spent: { application: 0, connection: 0 },
  isDone: false,
};

function server(committedRecords: number, ...connections: Partial<ConnectionStatus>[]): ServerStatus {
  return {
    rssBytes: 1,
    peakRssBytes: 2,
    stallLeftMs: 0,
    committedRecords,
    connections: connections.map((own) => ({ ...connection, ...own })),
  };
}

describe("Tracker", () => {
  it("sets the clients' waiting against what the server did with them, connection by connection", () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(0);
    const tracker = new Tracker(100);
    tracker.fleet = server(
      0,
      { client: 0, spent: { application: 100, connection: 900 } },
      { client: 1, spent: { application: 100, connection: 900 } },
    );
    tracker.server = server(
      0,
      { client: 1, spent: { application: 0, connection: 1_000 } },
      { client: 0, spent: { application: 1_000, connection: 0 } },
    );
    now.mockReturnValue(1_000);
    const { fleet } = tracker.take();
    expect(fleet?.recentPressure).toEqual({ application: 0.1, peer: 0.45, network: 0.45 });
    expect(fleet?.pressureMs).toEqual({ application: 100, peer: 450, network: 450 });
  });

  it("counts what left the fleet and has not reached the server as on the way", () => {
    const tracker = new Tracker(100);
    tracker.fleet = server(0, { wireBytes: 500 }, { client: 1, wireBytes: 100 });
    expect(tracker.take().onTheWayBytes).toBeNull();
    tracker.server = server(0, { wireBytes: 200 });
    expect(tracker.take().onTheWayBytes).toBe(400);
  });

  it("reports the most that was held for any one connection, ended ones included", () => {
    const tracker = new Tracker(100);
    tracker.server = server(0, { peakHeldBytes: 5, heldBytes: 2 }, { client: 1, peakHeldBytes: 9, isDone: true });
    expect(tracker.take().server).toMatchObject({ peakHeldBytes: 9, heldBytes: 2, connections: 1 });
  });

  it("measures the speed over the last second", () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(0);
    const tracker = new Tracker(100);
    for (const [atMs, records] of [
      [0, 0],
      [1_000, 1_000],
      [2_000, 4_000],
    ] as const) {
      now.mockReturnValue(atMs);
      tracker.server = server(records);
      tracker.take();
    }
    expect(tracker.take().recordsPerSecond).toBe(3_000);
  });

  it("knows the phases", () => {
    const tracker = new Tracker(100);
    expect(tracker.take().phase).toBe("starting");
    tracker.server = server(0);
    expect(tracker.take().phase).toBe("starting");
    tracker.fleet = server(0);
    expect(tracker.take().phase).toBe("streaming");
    tracker.server = { ...server(0), stallLeftMs: 5 };
    expect(tracker.take().phase).toBe("stalled");
    tracker.stop();
    expect(tracker.take().phase).toBe("draining");
    tracker.check();
    expect(tracker.take().phase).toBe("checking");
  });
});
