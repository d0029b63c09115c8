import { describe, expect, it } from "vitest";
import { AcceptQueue } from "./accept-queue.ts";

/** Runs all microtasks, so that whatever can happen by now has happened. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function createQueue(highWaterMark: number) {
  const cancelled: (readonly string[])[] = [];
  const queue = new AcceptQueue<string>(highWaterMark, (unread) => cancelled.push(unread));
  const accepted: string[] = [];
  const refused: [name: string, reason: unknown][] = [];
  const accept = (name: string, signal = new AbortController().signal): void => {
    queue.takeTurn(signal).then(
      () => {
        accepted.push(name);
        queue.enqueue(name);
      },
      (reason) => refused.push([name, reason]),
    );
  };
  return { queue, accept, accepted, refused, cancelled };
}

describe("AcceptQueue", () => {
  it("accepts as many as highWaterMark while nobody reads, and one more per read, in order", async () => {
    const { queue, accept, accepted } = createQueue(2);
    for (const name of ["a", "b", "c", "d", "e"]) accept(name);
    await settle();
    expect(accepted).toEqual(["a", "b"]);
    expect(queue.waitingCount).toBe(3);
    const reader = queue.readable.getReader();
    expect(await reader.read()).toEqual({ done: false, value: "a" });
    await settle();
    expect(accepted).toEqual(["a", "b", "c"]);
    expect(await reader.read()).toEqual({ done: false, value: "b" });
    expect(await reader.read()).toEqual({ done: false, value: "c" });
    await settle();
    expect(accepted).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("accepts with highWaterMark 0 only for a read that waits", async () => {
    const { queue, accept, accepted } = createQueue(0);
    accept("a");
    accept("b");
    await settle();
    expect(accepted).toEqual([]);
    const reader = queue.readable.getReader();
    expect(await reader.read()).toEqual({ done: false, value: "a" });
    await settle();
    expect(accepted).toEqual(["a"]);
  });

  it("does not give more turns than there is room while earlier ones are unused", async () => {
    const { queue } = createQueue(1);
    const signal = new AbortController().signal;
    let turns = 0;
    for (let count = 0; count < 3; count++) queue.takeTurn(signal).then(() => turns++);
    await settle();
    expect(turns).toBe(1);
    queue.returnTurn();
    await settle();
    expect(turns).toBe(2);
  });

  it("gives up a place when the signal is aborted, and no other", async () => {
    const { queue, accept, accepted, refused } = createQueue(0);
    const controller = new AbortController();
    const reason = new Error("gone");
    accept("a", controller.signal);
    accept("b");
    controller.abort(reason);
    accept("c", controller.signal);
    await settle();
    expect(refused).toEqual([
      ["a", reason],
      ["c", reason],
    ]);
    const reader = queue.readable.getReader();
    expect((await reader.read()).value).toBe("b");
    expect(accepted).toEqual(["b"]);
  });

  it("close() ends the stream behind what was accepted, and gives no turn", async () => {
    const { queue, accept, accepted } = createQueue(2);
    accept("a");
    accept("b");
    await settle();
    queue.close();
    accept("c");
    const reader = queue.readable.getReader();
    expect((await reader.read()).value).toBe("a");
    expect((await reader.read()).value).toBe("b");
    expect((await reader.read()).done).toBe(true);
    expect(accepted).toEqual(["a", "b"]);
  });

  it("close() settles a read that waits", async () => {
    const { queue } = createQueue(2);
    const reading = queue.readable.getReader().read();
    await settle();
    queue.close();
    expect((await reading).done).toBe(true);
  });

  it("cancelling hands back what was not read", async () => {
    const { queue, accept, accepted, cancelled } = createQueue(2);
    accept("a");
    accept("b");
    await settle();
    for await (const name of queue.readable) {
      expect(name).toBe("a");
      break;
    }
    expect(cancelled).toEqual([["b"]]);
    accept("c");
    await settle();
    expect(accepted).toEqual(["a", "b"]);
  });

  it("error() rejects reads", async () => {
    const { queue } = createQueue(2);
    const reason = new Error("no port");
    queue.error(reason);
    await expect(queue.readable.getReader().read()).rejects.toBe(reason);
  });
});
