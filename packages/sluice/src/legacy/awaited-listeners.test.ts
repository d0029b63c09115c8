import { describe, expect, it, vi } from "vitest";
import { AwaitedListeners } from "./awaited-listeners.ts";

function create(): { target: EventTarget; awaited: AwaitedListeners; fire: (type?: string) => void } {
  const target = new EventTarget();
  const awaited = new AwaitedListeners(target, ["x"]);
  return { target, awaited, fire: (type = "x") => target.dispatchEvent(new Event(type)) };
}

describe("AwaitedListeners", () => {
  it("whenSettled() calls back at once when no listener returned anything to wait for", () => {
    const { target, awaited, fire } = create();
    const callback = vi.fn();
    target.addEventListener("x", () => 1);
    fire();
    awaited.whenSettled(callback);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it("whenSettled() waits for promises and other thenables", async () => {
    const { target, awaited, fire } = create();
    const callback = vi.fn();
    let settle = (): void => {};
    target.addEventListener("x", () => ({
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what this is about
      then: (resolve: () => void) => {
        settle = resolve;
      },
    }));
    target.addEventListener("x", async () => {});
    fire();
    awaited.whenSettled(callback);
    await new Promise((resolve) => setImmediate(resolve));
    expect(callback).not.toHaveBeenCalled();
    settle();
    await new Promise((resolve) => setImmediate(resolve));
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it("does not wait for listeners of other types", () => {
    const { target, awaited, fire } = create();
    const callback = vi.fn();
    target.addEventListener("y", () => new Promise(() => {}));
    fire("y");
    awaited.whenSettled(callback);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it("leaves once, signal, capture and null to the platform", () => {
    const { target, fire } = create();
    const [once, aborted, captured] = [vi.fn(), vi.fn(), vi.fn()];
    const controller = new AbortController();
    target.addEventListener("x", once, { once: true });
    target.addEventListener("x", aborted, { signal: controller.signal });
    target.addEventListener("x", captured, true);
    target.addEventListener("x", null);
    controller.abort();
    fire();
    target.removeEventListener("x", captured);
    fire();
    target.removeEventListener("x", captured, { capture: true });
    fire();
    expect([once, aborted, captured].map(({ mock }) => mock.calls.length)).toEqual([1, 0, 2]);
  });

  it("calls a listener with the target as this, and an object's handleEvent as it is then", () => {
    const { target, fire } = create();
    const listener = vi.fn();
    const object = { handleEvent: vi.fn() };
    const replacement = vi.fn();
    target.addEventListener("x", listener);
    target.addEventListener("x", object);
    object.handleEvent = replacement;
    fire();
    expect(listener.mock.contexts).toEqual([target]);
    expect(replacement.mock.contexts).toEqual([object]);
  });

  it("adds no enumerable property to the target", () => {
    expect(Object.keys(create().target)).toEqual([]);
  });
});
