/**
 * `awaitListeners`: notices the promises that listeners return, so that the next message can wait for them.
 *
 * The platform's `dispatchEvent` does not tell what listeners return. So a target that awaits has `addEventListener` and
 * `removeEventListener` of its own, which put a wrapper around the listeners of the awaited types; all else (once, capture,
 * signal, order, a listener added twice) stays the platform's.
 */
export class AwaitedListeners {
  readonly #types: readonly string[];
  readonly #wrappers: WeakMap<Listener, EventListener> = new WeakMap();
  #pending = 0;
  #onSettled: (() => void) | null = null;

  constructor(target: EventTarget, types: readonly string[]) {
    this.#types = types;
    const { addEventListener, removeEventListener } = EventTarget.prototype;
    this.#override(target, "addEventListener", (type, listener, options) =>
      addEventListener.call(target, type, this.#isAwaited(type, listener) ? this.#wrap(listener) : listener, options),
    );
    // The platform itself may call this one, with what it was given: a wrapper.
    this.#override(target, "removeEventListener", (type, listener, options) =>
      removeEventListener.call(
        target,
        type,
        this.#isAwaited(type, listener) ? (this.#wrappers.get(listener) ?? listener) : listener,
        options,
      ),
    );
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

  #override(target: EventTarget, name: "addEventListener" | "removeEventListener", value: ListenerMethod): void {
    Object.defineProperty(target, name, { value, configurable: true, enumerable: false, writable: true });
  }

  #isAwaited(type: string, listener: Listener | null): listener is Listener {
    return (
      this.#types.includes(type) && (typeof listener === "function" || (typeof listener === "object" && !!listener))
    );
  }

  #wrap(listener: Listener): Listener {
    let wrapper = this.#wrappers.get(listener);
    if (wrapper === undefined) {
      const { observe } = this;
      wrapper = function (this: EventTarget, event: Event): unknown {
        return observe(typeof listener === "function" ? listener.call(this, event) : listener.handleEvent(event));
      };
      this.#wrappers.set(listener, wrapper);
    }
    return wrapper;
  }
}

type Listener = EventListenerOrEventListenerObject;
type ListenerMethod = (type: string, listener: Listener | null, options?: AddEventListenerOptions | boolean) => void;
