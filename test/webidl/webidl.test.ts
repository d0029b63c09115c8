import { CloseEvent, MessageEvent, WebSocket, WebSocketError, WebSocketStream } from "sluice";
import { describe, expect, it } from "vitest";
import { OwnCloseEvent } from "../../packages/sluice/src/legacy/close-event.ts";
import { createMessageEvent } from "../../packages/sluice/src/legacy/message-event.ts";
import { describeInterface } from "./interface.ts";
import { getInterface } from "./standard.ts";

/** The port is blocked (D-28): the attempt fails without a packet. */
const NOWHERE = "ws://127.0.0.1:1/";

describeInterface({
  title: "WebSocketStream",
  name: "WebSocketStream",
  interfaceObject: WebSocketStream,
  parent: null,
  create: () => new WebSocketStream(NOWHERE),
});

describeInterface({
  title: "WebSocketError",
  name: "WebSocketError",
  interfaceObject: WebSocketError,
  parent: DOMException,
  create: () => new WebSocketError(),
});

describeInterface({
  title: "WebSocket",
  name: "WebSocket",
  interfaceObject: WebSocket,
  parent: EventTarget,
  create: () => new WebSocket(NOWHERE),
});

describeInterface({
  title: "CloseEvent, our own",
  name: "CloseEvent",
  interfaceObject: OwnCloseEvent,
  parent: Event,
  create: () => new OwnCloseEvent("close"),
});

// The same as above where the platform has none.
describeInterface({
  title: "CloseEvent, as exported",
  name: "CloseEvent",
  interfaceObject: CloseEvent,
  parent: Event,
  create: () => new CloseEvent("close"),
});

// MessageEvent itself is the platform's; what this library makes is the event of a socket.
describe("Web IDL §3.7 MessageEvent, as dispatched by a socket", () => {
  const event = createMessageEvent("text", "blob", "ws://example.com");
  const prototype = Object.getPrototypeOf(event);

  it("is an object of the platform's MessageEvent", () => {
    expect(MessageEvent).toBe(globalThis.MessageEvent);
    expect(event).toBeInstanceOf(MessageEvent);
    expect(event.constructor).toBe(MessageEvent);
    expect(Object.prototype.toString.call(event)).toBe("[object MessageEvent]");
  });

  it("has no properties of its own, and its enumerable members are those of the IDL", () => {
    const members = getInterface("MessageEvent").attributes.map(({ name }) => name);
    expect(Object.keys(event).filter((key) => key !== "isTrusted")).toEqual([]);
    expect(Object.keys(prototype).sort()).toEqual(members.sort());
  });

  it.each(getInterface("MessageEvent").attributes.map(({ name }) => name))(
    "%s is read-only, and has a brand",
    (name) => {
      const { get, set, enumerable, configurable } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};
      expect([set, enumerable, configurable, get?.name]).toEqual([undefined, true, true, `get ${name}`]);
      expect((event as unknown as Record<string, unknown>)[name]).not.toBeUndefined();
      for (const wrong of [undefined, null, {}, prototype, new Event("message")]) {
        expect(() => Reflect.apply(get as () => unknown, wrong, [])).toThrow(TypeError);
      }
    },
  );
});
