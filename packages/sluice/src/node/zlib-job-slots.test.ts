import { describe, expect, it } from "vitest";
import { JobSlots } from "./zlib-job-slots.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("JobSlots", () => {
  it("lets in as many as the limit says, then one for each that leaves, first come, first served", async () => {
    const slots = new JobSlots(() => 2);
    const entered: number[] = [];
    for (let job = 0; job < 5; job++) void slots.acquire().then(() => entered.push(job));
    await turn();
    expect(entered).toEqual([0, 1]);
    slots.release();
    await turn();
    expect(entered).toEqual([0, 1, 2]);
    slots.release();
    slots.release();
    await turn();
    expect(entered).toEqual([0, 1, 2, 3, 4]);
    slots.release();
    slots.release();
    expect(slots.taken).toBe(0);
  });

  it("lets nobody pass who came later", async () => {
    const slots = new JobSlots(() => 1);
    const entered: string[] = [];
    await slots.acquire();
    void slots.acquire().then(() => entered.push("waited"));
    slots.release();
    void slots.acquire().then(() => entered.push("late"));
    await turn();
    expect(entered).toEqual(["waited"]);
    slots.release();
    await turn();
    expect(entered).toEqual(["waited", "late"]);
  });

  it("follows a limit that changes", async () => {
    let limit = 1;
    const slots = new JobSlots(() => limit);
    let entered = 0;
    for (let job = 0; job < 4; job++) void slots.acquire().then(() => entered++);
    await turn();
    expect(entered).toBe(1);
    limit = 3;
    slots.release();
    await turn();
    expect(entered).toBe(4);
    limit = 1;
    void slots.acquire().then(() => entered++);
    slots.release();
    await turn();
    expect(entered).toBe(4);
    slots.release();
    slots.release();
    await turn();
    expect(entered).toBe(5);
  });
});
