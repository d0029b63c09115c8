import crypto from "node:crypto";
import { expect, it, vi } from "vitest";
import { fillRandom } from "./random.ts";

vi.mock("node:crypto", { spy: true });

it("fillRandom() fills the whole target and nothing else, also beyond 64 KiB", () => {
  const memory = new Uint8Array(200_002);
  fillRandom(memory.subarray(1, 200_001));
  expect(memory[0]).toBe(0);
  expect(memory[200_001]).toBe(0);
  for (let start = 1; start < 200_001; start += 20_000) {
    expect(memory.subarray(start, start + 20_000).some((byte) => byte !== 0)).toBe(true);
  }
});

it("fillRandom() takes every byte from the system's cryptographic generator (RFC 6455 §10.3)", () => {
  // A generator that gives the same byte each time: nothing else may have a part in the result.
  vi.mocked(crypto.randomFillSync).mockImplementation((target) => (target as Uint8Array).fill(7));
  const target = new Uint8Array(70_000);
  fillRandom(target);
  expect(target.every((byte) => byte === 7)).toBe(true);
});
