import net from "node:net";
import { describe, expect, it } from "vitest";
import { realClock } from "./real-clock.ts";

/** Runs `body` inside a socket's data callback: there Node runs ticks before microtasks. */
async function insideSocketCallback(body: () => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const server = net.createServer((accepted) => {
      accepted.once("data", () => {
        body();
        accepted.destroy();
        server.close(() => resolve());
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const client = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
      client.write("x");
      client.on("close", () => {});
    });
  });
}

function record(log: string[]): void {
  queueMicrotask(() => log.push("microtask"));
  realClock.endOfTurn(() => log.push("end of turn"));
  realClock.nextTask(() => log.push("next task"));
  queueMicrotask(() => queueMicrotask(() => log.push("late microtask")));
}

const EXPECTED = ["microtask", "late microtask", "end of turn", "next task"];

describe("realClock", () => {
  it("endOfTurn() runs after the queued microtasks when asked for inside a socket's callback", async () => {
    const log: string[] = [];
    await insideSocketCallback(() => record(log));
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(EXPECTED);
  });

  it("endOfTurn() runs after the queued microtasks when asked for inside a promise job", async () => {
    const log: string[] = [];
    await Promise.resolve();
    record(log);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(log).toEqual(EXPECTED);
  });

  it("endOfTurn() keeps order, and what asks while it runs gets a turn of its own", async () => {
    const log: string[] = [];
    realClock.endOfTurn(() => {
      log.push("first");
      queueMicrotask(() => log.push("microtask of first"));
      realClock.endOfTurn(() => log.push("third"));
    });
    realClock.endOfTurn(() => log.push("second"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(["first", "second", "microtask of first", "third"]);
  });

  it("setTimer() does not keep the process alive, takes any delay, and clearTimer() stops it", () => {
    const timer = realClock.setTimer(() => {}, Number.MAX_SAFE_INTEGER) as NodeJS.Timeout;
    expect(timer.hasRef()).toBe(false);
    realClock.clearTimer(timer);
    expect((timer as unknown as { _destroyed: boolean })._destroyed).toBe(true);
  });

  it("setTimer() calls back after the delay on the scale of now()", async () => {
    const start = realClock.now();
    const keepAlive = setTimeout(() => {}, 10_000);
    await new Promise<void>((resolve) => realClock.setTimer(resolve, 5));
    clearTimeout(keepAlive);
    expect(realClock.now() - start).toBeGreaterThanOrEqual(4);
  });
});
