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

describe("bytes that are injected", () => {
  it("arrive behind what was written, and do not count as unsent", async () => {
    const clock = new VirtualClock();
    const [transport, peer] = MemoryTransport.pair(clock, { capacityBytes: 4 });
    const received: number[] = [];
    peer.start({ onData: (chunk) => void received.push(...chunk), onAccepted() {}, onEnd() {}, onClose() {} });

    transport.write(Uint8Array.of(1, 2));
    expect(transport.inject(Uint8Array.of(3, 4))).toBe(true);
    transport.write(Uint8Array.of(5));
    expect([transport.unsentBytes, transport.inject(Uint8Array.of(6))]).toEqual([1, false]);
    peer.resume();
    await clock.run();
    expect(received).toEqual([1, 2, 3, 4, 5]);

    transport.end();
    expect(transport.inject(Uint8Array.of(7))).toBe(false);
  });
});
