import { beforeAll, describe, expect, it } from "vitest";
import { DataSet } from "./data-set.ts";
import type { Departure } from "./departure.ts";
import { fromWire, toWire } from "./departure.ts";

describe("DataSet", () => {
  let dataSet: DataSet;
  beforeAll(async () => {
    dataSet = await DataSet.load(5_000);
  });

  function deal(clients: number, seed: number): Departure[][] {
    return dataSet.deal(clients, seed).map((departures) => [...departures]);
  }

  it("begins with the first flights of 2001", () => {
    const [departures] = deal(1, 1);
    expect(departures).toHaveLength(5_000);
    expect(departures?.slice(0, 2).map(toWire)).toEqual([
      { at: "2001-01-01T00:01", delay: 33, miles: 2176, from: "LAS", to: "PHL" },
      { at: "2001-01-01T00:01", delay: 19, miles: 215, from: "ATL", to: "SAV" },
    ]);
  });

  it("has nothing but what the server takes", () => {
    for (const departure of deal(1, 1).flat()) expect(fromWire(toWire(departure))).toEqual(departure);
  });

  it("deals every departure to one client, an airport's all to the same, in the order of time", () => {
    const offices = deal(8, 1);
    expect(offices.flat()).toHaveLength(5_000);
    expect(new Set(offices.flatMap((office) => [...new Set(office.map(({ origin }) => origin))])).size).toBe(
      offices.reduce((count, office) => count + new Set(office.map(({ origin }) => origin)).size, 0),
    );
    for (const office of offices) {
      expect(office.length).toBeGreaterThan(500);
      expect(office.map(({ departedAtMs }) => departedAtMs)).toEqual(
        office.map(({ departedAtMs }) => departedAtMs).sort((a, b) => a - b),
      );
    }
  });

  it("deals the same for the same seed, and differently for another", () => {
    expect(deal(8, 7)).toEqual(deal(8, 7));
    expect(deal(8, 7)).not.toEqual(deal(8, 8));
  });

  it("leaves clients without work when there are more than airports", () => {
    expect(deal(1_000, 1).filter((office) => office.length === 0).length).toBeGreaterThan(0);
  });
});
