import { constants, inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { deflateBomb } from "./deflate-bomb.ts";

const MIB = 1_048_576;
const SYNC_FLUSH_END = Uint8Array.of(0, 0, 0xff, 0xff);

describe("deflateBomb()", () => {
  it.each([0, 1, 10, 1_000, MIB - 1, MIB, MIB + 1, 5 * MIB, 5 * MIB + 77])("%i zeros", (byteLength) => {
    const payload = Buffer.concat([deflateBomb(byteLength), SYNC_FLUSH_END]);
    const inflated = inflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH });
    expect(inflated.byteLength).toBe(byteLength);
    expect(inflated.every((byte) => byte === 0)).toBe(true);
  });

  it("is about a thousandth as long", () => {
    expect(deflateBomb(64 * MIB).byteLength).toBeLessThan((64 * MIB) / 1_000);
  });
});
