import { expect, it } from "vitest";
import { WakeUp } from "./wake-up.ts";

it("sleep() tells whether the time passed in full", async () => {
  const pause = new WakeUp();
  expect(await pause.sleep(1)).toBe(true);
  const cut = pause.sleep(1_000_000);
  pause.wake();
  expect(await cut).toBe(false);
  pause.wake(); // nobody sleeps: nothing happens
});
