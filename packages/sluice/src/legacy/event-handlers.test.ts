import { describe, expect, it, vi } from "vitest";
import { EventHandlers } from "./event-handlers.ts";

function create(): { target: EventTarget; handlers: EventHandlers; fire: () => void } {
  const target = new EventTarget();
  return {
    target,
    handlers: new EventHandlers(target, () => undefined),
    fire: () => target.dispatchEvent(new Event("x")),
  };
}

describe("HTML §8.1.8.1 event handler IDL attributes", () => {
  it("is null at first, then the function that was set", () => {
    const { handlers } = create();
    const handler = (): void => {};
    expect(handlers.get("x")).toBeNull();
    handlers.set("x", handler);
    expect(handlers.get("x")).toBe(handler);
    handlers.set("x", null);
    expect(handlers.get("x")).toBeNull();
  });

  it.each([undefined, null, 1, "f()", true, Symbol("x")])("takes %s for null", (value) => {
    const { handlers, fire } = create();
    const handler = vi.fn();
    handlers.set("x", handler);
    handlers.set("x", value);
    fire();
    expect(handlers.get("x")).toBeNull();
    expect(handler).not.toHaveBeenCalled();
  });

  it("keeps an object that is not callable, and does nothing with it", () => {
    const { handlers, fire } = create();
    const object = { handleEvent: vi.fn() };
    handlers.set("x", object);
    fire();
    expect(handlers.get("x")).toBe(object);
    expect(object.handleEvent).not.toHaveBeenCalled();
  });

  it("is called with the event, and the target as this", () => {
    const { target, handlers, fire } = create();
    const handler = vi.fn();
    handlers.set("x", handler);
    fire();
    expect(handler.mock.contexts).toEqual([target]);
    expect(handler.mock.calls[0]?.[0]).toMatchObject({ type: "x", target });
  });

  it("keeps the place among the listeners that it took when it was first set", () => {
    const { target, handlers, fire } = create();
    const order: string[] = [];
    target.addEventListener("x", () => order.push("first listener"));
    handlers.set("x", () => order.push("never called"));
    target.addEventListener("x", () => order.push("second listener"));
    handlers.set("x", () => order.push("handler"));
    fire();
    expect(order).toEqual(["first listener", "handler", "second listener"]);
  });

  it("takes a new place after it was null", () => {
    const { target, handlers, fire } = create();
    const order: string[] = [];
    handlers.set("x", () => order.push("never called"));
    target.addEventListener("x", () => order.push("listener"));
    handlers.set("x", null);
    handlers.set("x", () => order.push("handler"));
    fire();
    expect(order).toEqual(["listener", "handler"]);
  });

  it("is told what a handler returns, and says what the listener returns", () => {
    const onResult = vi.fn();
    const target = new EventTarget();
    const handlers = new EventHandlers(target, onResult);
    handlers.set("x", () => "result");
    target.dispatchEvent(new Event("x"));
    expect(onResult.mock.calls).toEqual([["result"]]);
  });
});
