/**
 * `awaitListeners`: notices the promises that listeners return, so that the next message can wait for them.
 *
 * The platform's `dispatchEvent` does not tell what listeners return. So a target that awaits has `addEventListener` and
 * `removeEventListener` of its own, which put a wrapper around the listeners of the awaited types; all else (once, capture,
 * signal, order, a listener added twice) stays the platform's.
 */
export class AwaitedListeners {
  readonly #types: readonly string[];
  readonly #wrappers: WeakMap<EventListenerOrEventListenerObject, (event: Event) => unknown> = new WeakMap();
  #pending = 0;
  #onSettled: (() => void) | null = null;

  constructor(target: EventTarget, types: readonly string[]) {
    this.#types = types;
    for (const name of ["addEventListener", "removeEventListener"] as const) {
      const method = EventTarget.prototype[name];
      const value = (
        type: string,
        listener: EventListenerOrEventListenerObject | null,
        options?: object | boolean,
      ): void => method.call(target, type, this.#types.includes(type) ? this.#wrap(listener) : listener, options);
      Object.defineProperty(target, name, { value, configurable: true, enumerable: false, writable: true });
    }
  }

  /** Notes what a listener returned. @returns the same, so that the platform reports a rejection as it always does */
  readonly observe = (result: unknown): unknown => {
    if (typeof result === "object" && result !== null) {
      this.#pending++;
      Promise.resolve(result).then(this.#settle, this.#settle);
    }
    return result;
  };

  /** Calls `callback` when everything that listeners returned has settled; at once if nothing is pending. */
  whenSettled(callback: () => void): void {
    if (this.#pending === 0) callback();
    else this.#onSettled = callback;
  }

  readonly #settle = (): void => {
    this.#pending--;
    const onSettled = this.#onSettled;
    if (this.#pending > 0 || onSettled === null) return;
    this.#onSettled = null;
    onSettled();
  };

  #wrap(listener: EventListenerOrEventListenerObject | null): EventListenerOrEventListenerObject | null {
    if ((typeof listener !== "object" && typeof listener !== "function") || listener === null) return listener;
    let wrapper = this.#wrappers.get(listener);
    if (wrapper === undefined) {
      const { observe } = this;
      wrapper = function (this: unknown, event: Event): unknown {
        return observe(
          typeof listener === "function" ? listener.call(this as EventTarget, event) : listener.handleEvent(event),
        );
      };
      this.#wrappers.set(listener, wrapper);
    }
    return wrapper;
  }
}
