import { expect, it } from "vitest";
import { SentQueue } from "./sent-queue.ts";

it("SentQueue counts the bytes of the messages that were not taken", () => {
  const queue = new SentQueue();
  for (const byteLength of [10, 20, 30]) queue.push(byteLength);
  expect(queue.bytesAfter(0)).toBe(60);
  expect(queue.bytesAfter(2)).toBe(30);
  queue.push(5);
  expect(queue.bytesAfter(2)).toBe(35);
  expect(queue.bytesAfter(4)).toBe(0);
});
