import { toDictionary, toDOMString, toUnsignedShort, toUSVString } from "../streams/idl-conversions.ts";
import { defineInterface, requireArguments } from "./interface-object.ts";

/** The members of `new CloseEvent(type, init)`. */
export interface CloseEventInit {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
  wasClean?: boolean;
  code?: number;
  reason?: string;
}

/** How a connection ended. */
export interface CloseEvent extends Event {
  /** Whether both Close frames were exchanged and nothing was lost. */
  readonly wasClean: boolean;
  /** The peer's close code; 1005 if its Close had none, 1006 if there was no Close, or we failed the connection. */
  readonly code: number;
  /** The peer's reason, `""` if none. */
  readonly reason: string;
}

/** The interface object of {@link CloseEvent}. */
export interface CloseEventConstructor {
  new (type: string, eventInitDict?: CloseEventInit): CloseEvent;
  readonly prototype: CloseEvent;
}

/** `CloseEvent` as the WebSockets standard defines it, for runtimes that lack it: Node before 23. */
export const OwnCloseEvent: CloseEventConstructor = class CloseEvent extends Event {
  readonly #wasClean: boolean;
  readonly #code: number;
  readonly #reason: string;

  constructor(type: string, eventInitDict: CloseEventInit = {}) {
    requireArguments("the CloseEvent constructor", arguments.length, 1);
    const eventType = toDOMString(type);
    // Members are read once: those of EventInit first, then these, each group in lexicographic order.
    const dictionary = toDictionary(eventInitDict, "eventInitDict");
    const bubbles = Boolean(dictionary.bubbles);
    const cancelable = Boolean(dictionary.cancelable);
    const composed = Boolean(dictionary.composed);
    const { code } = dictionary;
    const closeCode = code === undefined ? 0 : toUnsignedShort(code);
    const { reason } = dictionary;
    const closeReason = reason === undefined ? "" : toUSVString(reason);
    const wasClean = Boolean(dictionary.wasClean);
    super(eventType, { bubbles, cancelable, composed });
    this.#wasClean = wasClean;
    this.#code = closeCode;
    this.#reason = closeReason;
  }

  get wasClean(): boolean {
    return this.#wasClean;
  }

  get code(): number {
    return this.#code;
  }

  get reason(): string {
    return this.#reason;
  }

  static {
    defineInterface(CloseEvent, ["wasClean", "code", "reason"]);
  }
};

/** The platform's class where there is one, else our own. */
export const CloseEvent: CloseEventConstructor =
  (globalThis as { CloseEvent?: CloseEventConstructor }).CloseEvent ?? OwnCloseEvent;
