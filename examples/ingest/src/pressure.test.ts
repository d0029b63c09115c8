import { describe, expect, it } from "vitest";
import { since, toPressure } from "./pressure.ts";
import { Stopwatch } from "./stopwatch.ts";

describe("toPressure", () => {
  it("blames the peer for the time that the peer's application was busy", () => {
    const fleet = { application: 100, connection: 900 };
    const server = { application: 900, connection: 100 };
    expect(toPressure(fleet, server)).toEqual({ application: 100, peer: 900, network: 0 });
    expect(toPressure(server, fleet)).toEqual({ application: 900, peer: 100, network: 0 });
  });

  it("blames the network for the time that both ends waited", () => {
    const fleet = { application: 100, connection: 900 };
    const server = { application: 200, connection: 800 };
    expect(toPressure(fleet, server)).toEqual({ application: 100, peer: 200, network: 700 });
  });
});

describe("Stopwatch", () => {
  it("adds up the time in each state, the running one included", () => {
    let nowMs = 10;
    const stopwatch = new Stopwatch("application", () => nowMs);
    nowMs = 15;
    stopwatch.enter("connection");
    nowMs = 35;
    const before = stopwatch.read();
    expect(before).toEqual({ application: 5, connection: 20 });
    nowMs = 36;
    expect(since(before, stopwatch.read())).toEqual({ application: 0, connection: 1 });
  });
});
