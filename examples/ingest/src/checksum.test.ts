import { describe, expect, it } from "vitest";
import { Checksum } from "./checksum.ts";
import type { Departure } from "./departure.ts";

const first: Departure = {
  departedAtMs: 978_307_260_000,
  delayMinutes: 33,
  distanceMiles: 2176,
  origin: "LAS",
  destination: "PHL",
};
const second: Departure = { ...first, delayMinutes: -5, origin: "ATL" };

function checksumOf(...records: [number, Departure][]): Checksum {
  const checksum = new Checksum();
  for (const [sequence, departure] of records) checksum.add(sequence, departure);
  return checksum;
}

describe("Checksum", () => {
  it("does not depend on the order", () => {
    const forth = checksumOf([0, first], [1, second]);
    const back = checksumOf([1, second], [0, first]);
    expect(forth.toString()).toBe(back.toString());
    expect(forth.toString()).toMatch(/^[0-9a-f]{16}$/);
  });

  it("changes when a record is lost, doubled, or swapped with another", () => {
    const whole = checksumOf([0, first], [1, second]).toString();
    expect(checksumOf([0, first]).toString()).not.toBe(whole);
    expect(checksumOf([0, first], [1, second], [1, second]).toString()).not.toBe(whole);
    expect(checksumOf([0, second], [1, first]).toString()).not.toBe(whole);
  });

  it.each<[keyof Departure, number | string]>([
    ["departedAtMs", first.departedAtMs + 60_000],
    ["delayMinutes", 34],
    ["distanceMiles", 2177],
    ["origin", "LAX"],
    ["destination", "PHX"],
  ])("changes when %s changes", (field, value) => {
    expect(checksumOf([0, { ...first, [field]: value }]).toString()).not.toBe(checksumOf([0, first]).toString());
  });

  it("is the sum of its parts", () => {
    const sum = checksumOf([0, first]);
    sum.addAll(checksumOf([1, second]));
    expect(sum.toString()).toBe(checksumOf([0, first], [1, second]).toString());
    expect(sum.count).toBe(2);
  });

  it("survives being written and parsed", () => {
    const checksum = checksumOf([0, first], [1, second]);
    const parsed = Checksum.parse(checksum.toString(), checksum.count);
    parsed.addAll(checksumOf([2, first]));
    expect(parsed.toString()).toBe(checksumOf([0, first], [1, second], [2, first]).toString());
    expect(() => Checksum.parse("52f0", 1)).toThrow("16 hexadecimal digits");
  });
});
