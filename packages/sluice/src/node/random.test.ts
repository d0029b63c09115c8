import { expect, it } from "vitest";
import { fillRandom } from "./random.ts";

it("fillRandom() fills the whole target and nothing else, also beyond 64 KiB", () => {
  const memory = new Uint8Array(200_002);
  fillRandom(memory.subarray(1, 200_001));
  expect(memory[0]).toBe(0);
  expect(memory[200_001]).toBe(0);
  for (let start = 1; start < 200_001; start += 20_000) {
    expect(memory.subarray(start, start + 20_000).some((byte) => byte !== 0)).toBe(true);
  }
});
