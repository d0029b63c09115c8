import { afterEach, describe, expect, it } from "vitest";
import { Settlement } from "./settlement.ts";

const unhandled: unknown[] = [];
const listener = (reason: unknown): void => void unhandled.push(reason);
afterEach(() => {
  process.off("unhandledRejection", listener);
  unhandled.length = 0;
});

describe("spec-digest 2.15 promises that nobody looks at (D-05)", () => {
  it("a rejection without a reaction is not unhandled, read before it, after it, or never", async () => {
    process.on("unhandledRejection", listener);
    const before = new Settlement<number>();
    const promise = before.promise;
    before.reject(new Error("read before"));
    const after = new Settlement<number>();
    after.reject(new Error("read after"));
    expect(after.promise).toBeInstanceOf(Promise);
    new Settlement<number>().reject(new Error("never read"));
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    expect(unhandled).toEqual([]);
    await expect(promise).rejects.toThrow("read before");
    await expect(after.promise).rejects.toThrow("read after");
  });

  it("is one promise, and the first outcome counts", async () => {
    const settlement = new Settlement<number>();
    const { promise } = settlement;
    settlement.resolve(1);
    settlement.resolve(2);
    settlement.reject(new Error("late"));
    expect(settlement.promise).toBe(promise);
    expect(await promise).toBe(1);
    const late = new Settlement<number>();
    late.reject("first");
    late.resolve(2);
    await expect(late.promise).rejects.toBe("first");
  });
});
