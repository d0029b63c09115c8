import { describe, expect, it } from "vitest";
import { MemoryTransport } from "./memory-transport.ts";
import { VirtualClock } from "./virtual-clock.ts";

describe("a memory transport after its end", () => {
  for (const ended of ["end", "destroy"] as const) {
    it(`${ended}(): takes nothing, and counts it as unsent, as a socket's transport does`, async () => {
      const clock = new VirtualClock();
      const [transport, peer] = MemoryTransport.pair(clock);
      transport[ended]();

      expect(transport.write(new Uint8Array(10))).toBe(false);
      await clock.run();

      expect([transport.unsentBytes, peer.incomingBytes]).toEqual([10, 0]);
    });
  }
});
