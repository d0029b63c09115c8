import { describe, expect, it } from "vitest";
import { withResolvers } from "../support/with-resolvers.ts";
import { Operations } from "./operations.ts";

function createOperations() {
  const clock = { nowMs: 1_000 };
  return { clock, operations: new Operations(() => clock.nowMs) };
}

describe("Operations", () => {
  it("passes values and errors on, and forgets what has settled", async () => {
    const { clock, operations } = createOperations();
    expect(await operations.track("a", Promise.resolve(5), 10)).toBe(5);
    await expect(operations.track("b", Promise.reject(new Error("no")), 10)).rejects.toThrow("no");
    clock.nowMs += 1_000;
    expect(operations.pendingCount).toBe(0);
    expect(operations.takeOverdue()).toEqual([]);
  });

  it("tells what is over its limit, once", async () => {
    const { clock, operations } = createOperations();
    const never = withResolvers<void>();
    void operations.track("slow", never.promise, 10);
    void operations.track("patient", never.promise, 100);
    clock.nowMs += 9;
    expect(operations.takeOverdue()).toEqual([]);
    clock.nowMs += 1;
    expect(operations.takeOverdue()).toEqual([{ name: "slow", ageMs: 10 }]);
    expect(operations.takeOverdue()).toEqual([]);
    expect(operations.pendingCount).toBe(1);
  });

  it("tells everything that is left with a limit of 0", () => {
    const { operations } = createOperations();
    void operations.track("patient", new Promise(() => {}), 100);
    expect(operations.takeOverdue(0)).toEqual([{ name: "patient", ageMs: 0 }]);
  });
});
