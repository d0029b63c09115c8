/** The platform's own class; Node has it since 15. */
export const MessageEvent: typeof globalThis.MessageEvent = globalThis.MessageEvent;
export type MessageEvent<T = unknown> = globalThis.MessageEvent<T>;

const NO_PORTS: readonly MessagePort[] = Object.freeze([]);

/**
 * The `message` event of a socket: a MessageEvent by its prototype chain, with getters of its own over private fields.
 *
 * Making a platform MessageEvent and dispatching it costs 540 to 960 ns on Node 24, this 90 to 125.
 */
class ReceivedMessageEvent extends Event {
  #data: string | Uint8Array<ArrayBuffer> | ArrayBuffer | Blob;
  readonly #isBlob: boolean;
  readonly #origin: string;

  constructor(message: string | Uint8Array<ArrayBuffer>, isBlob: boolean, origin: string) {
    super("message");
    this.#data = message;
    this.#isBlob = isBlob;
    this.#origin = origin;
  }

  get data(): string | ArrayBuffer | Blob {
    const data = this.#data;
    if (!(data instanceof Uint8Array)) return data;
    // A Blob costs more than the whole rest of an event, so it is only made for a listener that looks.
    const object = this.#isBlob ? new Blob([data]) : data.buffer;
    this.#data = object;
    return object;
  }

  get origin(): string {
    return this.#origin;
  }

  get lastEventId(): string {
    this.#origin; // brand check
    return "";
  }

  get source(): null {
    this.#origin; // brand check
    return null;
  }

  get ports(): readonly MessagePort[] {
    this.#origin; // brand check
    return NO_PORTS;
  }
}

Object.setPrototypeOf(ReceivedMessageEvent.prototype, MessageEvent.prototype);
// Inherited from here on: `event.constructor` is MessageEvent.
Reflect.deleteProperty(ReceivedMessageEvent.prototype, "constructor");
// Node 20 has no class string on MessageEvent.prototype.
Object.defineProperty(ReceivedMessageEvent.prototype, Symbol.toStringTag, {
  value: "MessageEvent",
  configurable: true,
});
for (const name of ["data", "origin", "lastEventId", "source", "ports"]) {
  Object.defineProperty(ReceivedMessageEvent.prototype, name, { enumerable: true });
}

/**
 * Makes the event for a message that a socket received.
 *
 * @param message text, or bytes that own their whole buffer
 * @param binaryType what bytes become, as it is at this moment
 * @param origin the serialized origin of the socket's URL
 */
export function createMessageEvent(
  message: string | Uint8Array<ArrayBuffer>,
  binaryType: "blob" | "arraybuffer",
  origin: string,
): Event {
  return new ReceivedMessageEvent(message, binaryType === "blob", origin);
}
