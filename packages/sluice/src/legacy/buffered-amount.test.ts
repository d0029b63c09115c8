import { describe, expect, it } from "vitest";
import type { Connection } from "../connection/connection.ts";
import { BufferedAmount } from "./buffered-amount.ts";

/** The two counters that matter, of a connection whose system takes bytes when the test says so. */
class Counters {
  queuedBytes = 0;
  sentPayloadBytes = 0;

  take(byteLength: number): void {
    this.queuedBytes += byteLength;
  }

  send(byteLength: number): void {
    this.queuedBytes -= byteLength;
    this.sentPayloadBytes += byteLength;
  }
}

function create(): { amount: BufferedAmount; counters: Counters } {
  const amount = new BufferedAmount();
  const counters = new Counters();
  amount.attach(counters as unknown as Connection);
  return { amount, counters };
}

function nextTask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("spec-digest 4.3 BufferedAmount", () => {
  it("does not fall within the task that holds it, not even across its microtasks", async () => {
    const { amount, counters } = create();
    amount.hold();
    counters.take(10);
    expect(amount.value).toBe(10);
    counters.send(10);
    expect(amount.value).toBe(10);
    for (let i = 0; i < 50; i++) {
      await undefined;
      expect(amount.value).toBe(10);
    }
    await nextTask();
    expect(amount.value).toBe(0);
  });

  it("still falls by what the system took in earlier tasks", async () => {
    const { amount, counters } = create();
    amount.hold();
    counters.take(10);
    await nextTask();
    counters.send(4);
    expect(amount.value).toBe(6);
    amount.hold();
    counters.send(3);
    expect(amount.value).toBe(6);
    await nextTask();
    expect(amount.value).toBe(3);
  });

  it("release() begins a new task, in which it may be held again", async () => {
    const { amount, counters } = create();
    amount.hold();
    counters.take(10);
    counters.send(10);
    amount.release();
    expect(amount.value).toBe(0);
    amount.hold();
    counters.take(5);
    counters.send(5);
    expect(amount.value).toBe(5);
    await nextTask();
    expect(amount.value).toBe(0);
  });

  it("keeps what was not sent when the connection has closed, and can only grow from then on", () => {
    const { amount, counters } = create();
    amount.keep(1);
    amount.hold();
    counters.take(10);
    counters.send(4);
    amount.detach();
    expect(amount.value).toBe(7);
    counters.send(6);
    amount.hold();
    amount.keep(2);
    expect(amount.value).toBe(9);
  });
});
