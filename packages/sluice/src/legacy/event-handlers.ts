/**
 * The event handler IDL attributes of one target (HTML §8.1.8.1): `onopen` and its kind.
 *
 * A handler takes its place among the listeners when it is first set, and keeps it until it is set to null.
 */
export class EventHandlers {
  readonly #target: EventTarget;
  readonly #onResult: (result: unknown) => unknown;
  readonly #active: Map<string, ActiveHandler> = new Map();

  /** @param onResult is given what a handler returns, and says what the listener returns */
  constructor(target: EventTarget, onResult: (result: unknown) => unknown) {
    this.#target = target;
    this.#onResult = onResult;
  }

  get(type: string): unknown {
    return this.#active.get(type)?.handler ?? null;
  }

  /**
   * Web IDL `[LegacyTreatNonObjectAsNull]`: what is not an object is null. An object that is not callable is kept, and does
   * nothing when an event comes.
   */
  set(type: string, value: unknown): void {
    const active = this.#active.get(type);
    const isObject = typeof value === "function" || (typeof value === "object" && value !== null);
    if (!isObject) {
      if (active === undefined) return;
      this.#active.delete(type);
      removeEventListener.call(this.#target, type, active.listener);
    } else if (active !== undefined) {
      active.handler = value;
    } else {
      this.#activate(type, value);
    }
  }

  #activate(type: string, handler: unknown): void {
    const active: ActiveHandler = {
      handler,
      listener: (event) => {
        if (typeof active.handler !== "function") return undefined;
        return this.#onResult(active.handler.call(event.currentTarget, event));
      },
    };
    this.#active.set(type, active);
    addEventListener.call(this.#target, type, active.listener);
  }
}

interface ActiveHandler {
  handler: unknown;
  readonly listener: (event: Event) => unknown;
}

// Not the target's own methods: a subclass may override them, and a handler is none of its listeners.
const { addEventListener, removeEventListener } = EventTarget.prototype;
