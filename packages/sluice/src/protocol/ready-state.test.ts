import { describe, expect, it } from "vitest";
import { ReadyState, type ReadyStateEvent, transition } from "./ready-state.ts";

const { CONNECTING, OPEN, CLOSING, CLOSED } = ReadyState;

describe("WebSockets standard: ready state", () => {
  it("has the numbers of the WebSocket interface", () => {
    expect([CONNECTING, OPEN, CLOSING, CLOSED]).toEqual([0, 1, 2, 3]);
  });

  it.each<[ReadyState, ReadyStateEvent, ReadyState]>([
    [CONNECTING, "established", OPEN],
    [CONNECTING, "closeStarted", CLOSING],
    [CONNECTING, "closed", CLOSED],
    [OPEN, "closeStarted", CLOSING],
    [OPEN, "closed", CLOSED],
    [CLOSING, "closeStarted", CLOSING],
    [CLOSING, "closed", CLOSED],
  ])("%i and %s give %i", (state, event, next) => {
    expect(transition(state, event)).toBe(next);
  });

  it.each<[ReadyState, ReadyStateEvent]>([
    [OPEN, "established"],
    [CLOSING, "established"],
    [CLOSED, "established"],
    [CLOSED, "closeStarted"],
    [CLOSED, "closed"],
  ])("%i has no %s", (state, event) => {
    expect(() => transition(state, event)).toThrow(
      `Cannot apply "${event}" as it does not exist in ready state ${state}`,
    );
  });
});
