import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Opcode } from "./opcode.ts";
import {
  bytes,
  createProtocol,
  nextAll,
  type ReceivedEvent,
  receiveInAllSplits,
  takeAll,
} from "./splits.test-support.ts";
import { ProtocolEvent, type WebSocketProtocol } from "./websocket-protocol.ts";

describe("the pull (spec-digest 6.2)", () => {
  it("receive() parses nothing; next() gives one event a call", () => {
    const protocol = createProtocol({ role: "client" });
    protocol.receive(bytes("ff ff"));
    expect(protocol.bufferedBytes).toBe(2);
    const other = createProtocol({ role: "client" });
    other.receive(bytes("81 01 61 81 01 62"));
    expect([other.next(true), other.message, other.bufferedBytes]).toEqual([ProtocolEvent.MESSAGE, "a", 3]);
    expect([other.next(true), other.message, other.bufferedBytes]).toEqual([ProtocolEvent.MESSAGE, "b", 0]);
    expect(other.next(true)).toBe(ProtocolEvent.NEED_DATA);
  });

  it.each([
    ["nothing follows", "82 01 07"],
    ["an unwanted message follows", "82 01 07 82 00"],
    ["a Close followed", "82 01 07 88 00"],
  ])("a message is let go with the next call, so that a connection at rest holds none: %s", (_, wire) => {
    const protocol = createProtocol({ role: "client" });
    protocol.receive(bytes(wire));
    expect([protocol.next(true), protocol.message]).toEqual([ProtocolEvent.MESSAGE, Uint8Array.of(7)]);
    protocol.next(false);
    expect(protocol.message).toBe("");
  });

  it("R2: stalls in front of a data message that nobody wants, and consumes no byte of it", () => {
    const protocol = createProtocol({ role: "client" });
    protocol.receive(bytes("81 01 61"));
    for (let i = 0; i < 3; i++)
      expect([protocol.next(false), protocol.bufferedBytes]).toEqual([ProtocolEvent.STALLED, 3]);
    expect(protocol.isInMessage).toBe(false);
    expect(nextAll(protocol)).toEqual([["text", "a"]]);
  });

  it("R2: with the first byte alone, also one that was read when a message was wanted", () => {
    const protocol = createProtocol({ role: "client" });
    protocol.receive(bytes("82"));
    expect(protocol.next(false)).toBe(ProtocolEvent.STALLED);
    expect(protocol.next(true)).toBe(ProtocolEvent.NEED_DATA);
    protocol.receive(bytes("01 07"));
    expect([protocol.next(false), protocol.bufferedBytes]).toEqual([ProtocolEvent.STALLED, 3]);
    expect(nextAll(protocol)).toEqual([["binary", [7]]]);
  });

  it("R3: reads a message that has begun to its end", () => {
    const protocol = createProtocol({ role: "client" });
    protocol.receive(bytes("01 01 61"));
    expect([protocol.next(true), protocol.isInMessage]).toEqual([ProtocolEvent.NEED_DATA, true]);
    protocol.receive(bytes("80 02 62"));
    expect([protocol.next(false), protocol.isInMessage]).toEqual([ProtocolEvent.NEED_DATA, true]);
    protocol.receive(bytes("63 81 00"));
    expect([protocol.next(false), protocol.message]).toEqual([ProtocolEvent.MESSAGE, "abc"]);
    expect([protocol.next(false), protocol.isInMessage]).toEqual([ProtocolEvent.STALLED, false]);
  });

  it("R3: also a frame's rest, and its cut header", () => {
    const protocol = createProtocol({ role: "client" });
    protocol.receive(bytes("81 02 61"));
    expect([protocol.next(true), protocol.isInMessage]).toEqual([ProtocolEvent.NEED_DATA, true]);
    protocol.receive(bytes("62"));
    expect([protocol.next(false), protocol.message]).toEqual([ProtocolEvent.MESSAGE, "ab"]);
    protocol.receive(bytes("01 00 80"));
    expect(protocol.next(true)).toBe(ProtocolEvent.NEED_DATA);
    protocol.receive(bytes("00"));
    expect(protocol.next(false)).toBe(ProtocolEvent.MESSAGE);
  });

  it("R4: control frames come although no message is wanted, also in pieces", () => {
    const protocol = createProtocol({ role: "client" });
    protocol.receive(bytes("89 01 07 8a 00 88"));
    expect(nextAll(protocol, false)).toEqual([
      ["ping", [7]],
      ["pong", []],
    ]);
    protocol.receive(bytes("00"));
    expect(nextAll(protocol, false)).toEqual([["close", 1005, ""]]);
  });

  it("a control frame in pieces is no message", () => {
    const protocol = createProtocol({ role: "client" });
    protocol.receive(bytes("89 02 07"));
    expect([protocol.next(true), protocol.isInMessage]).toEqual([ProtocolEvent.NEED_DATA, false]);
  });

  it.each([
    ["a header", "83 00", 1002],
    ["a length", "82 7e 00 01", 1002],
    ["text that is not UTF-8, with a frame behind it", "81 01 ff 81 01 61", 1007],
    ["text in a fragment, with the next behind it", "01 01 ff 80 01 61", 1007],
    ["the body of a Close, with a frame behind it", "88 01 03 81 01 61", 1002],
  ])("RFC 6455 §7.1.7: after a fault nothing is processed, the same error comes again: %s", (_, wire, closeCode) => {
    const protocol = createProtocol({ role: "client" });
    const errorOf = (): unknown => {
      try {
        return protocol.next(true);
      } catch (error) {
        return error;
      }
    };
    protocol.receive(bytes(wire));
    const first = errorOf();
    expect(first).toMatchObject({ closeCode });
    protocol.receive(bytes("81 01 61"));
    expect([errorOf(), errorOf()]).toEqual([first, first]);
    expect([protocol.bufferedBytes, protocol.assembledBytes, protocol.isInMessage]).toEqual([0, 0, false]);
    protocol.close();
    expect(protocol.next(true)).toBe(ProtocolEvent.NEED_DATA);
  });

  it("a fault behind messages is thrown after them", () => {
    expect(receiveInAllSplits(bytes("81 01 61 82 00 83 00"), { role: "client" })).toEqual({
      events: [
        ["text", "a"],
        ["binary", []],
      ],
      error: [1002, "ERR_SLUICE_RESERVED_OPCODE"],
    });
  });
});

/** What one side does. Binary content keeps the counterexamples readable. */
type Step =
  | { type: "text"; content: string; cuts: number[] }
  | { type: "binary"; content: Uint8Array; cuts: number[] }
  | { type: "short"; content: string }
  | { type: "ping"; content: Uint8Array }
  | { type: "pong"; content: Uint8Array };

const cuts = fc.array(fc.nat({ max: 300 }), { maxLength: 4 });
const text = fc.oneof(fc.string({ unit: "grapheme", maxLength: 60 }), fc.string({ unit: "binary", maxLength: 200 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant("text" as const), content: text, cuts }),
  fc.record({ type: fc.constant("binary" as const), content: fc.uint8Array({ maxLength: 300 }), cuts }),
  fc.record({ type: fc.constant("short" as const), content: text }),
  fc.record({ type: fc.constant("ping" as const), content: fc.uint8Array({ maxLength: 125 }) }),
  fc.record({ type: fc.constant("pong" as const), content: fc.uint8Array({ maxLength: 125 }) }),
);

/** Sends one step, a message in fragments with a control frame behind each, and says what the peer has to receive. */
function send(protocol: WebSocketProtocol, current: Step): ReceivedEvent[] {
  if (current.type === "ping" || current.type === "pong") {
    if (current.type === "ping") protocol.sendPing(current.content);
    else protocol.sendPong(current.content);
    return [[current.type, [...current.content]]];
  }
  if (current.type === "short") {
    protocol.sendShortText(current.content);
    return [["text", current.content]];
  }
  const isText = current.type === "text";
  const payload = isText ? protocol.encodeText(current.content) : current.content;
  const ends = [...current.cuts.map((cut) => cut % (payload.length + 1)).sort((a, b) => a - b), payload.length];
  const events: ReceivedEvent[] = [];
  let start = 0;
  for (const [index, end] of ends.entries()) {
    const opcode = index > 0 ? Opcode.CONTINUATION : isText ? Opcode.TEXT : Opcode.BINARY;
    const isFin = index === ends.length - 1;
    protocol.sendFrame(opcode, isFin, false, payload, start, end);
    if (!isFin) {
      protocol.sendPing(Uint8Array.of(index));
      events.push(["ping", [index]]);
    }
    start = end;
  }
  events.push(isText ? ["text", current.content] : ["binary", [...payload]]);
  return events;
}

describe("two ends", () => {
  it.each(["client", "server"] as const)("what a %s sends is what its peer receives, however it is cut", (role) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.constantFrom(null, 1000, 4999), (steps, closeCode) => {
        let counter = 0;
        const sender = createProtocol({
          role,
          fillRandom: (target) => {
            for (let i = 0; i < target.byteLength; i++) target[i] = counter = (counter * 73 + 41) & 0xff;
          },
        });
        const events = steps.flatMap((current) => send(sender, current));
        sender.sendClose(closeCode, "bye");
        events.push(["close", closeCode ?? 1005, closeCode === null ? "" : "bye"]);
        const peer = role === "client" ? "server" : "client";
        expect(receiveInAllSplits(takeAll(sender), { role: peer })).toEqual({ events, error: null });
      }),
      { numRuns: 150 },
    );
  });

  it("a peer's bytes, whatever they are, end in events or in a ProtocolError, the same in all cuts", () => {
    const opcode = fc.constantFrom(0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a);
    const frame = fc
      .tuple(opcode, fc.uint8Array({ maxLength: 6 }))
      .map(([first, payload]) => [first, payload.length, ...payload]);
    const noise = fc.array(fc.nat({ max: 255 }), { maxLength: 4 });
    const codes = [1002, 1007, 1008, 1009];
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 6, arbitrary: frame }, { weight: 1, arbitrary: noise })), (pieces) => {
        const { error } = receiveInAllSplits(Uint8Array.from(pieces.flat()), {
          role: "client",
          maxMessageBytes: 1000,
          maxFragments: 4,
        });
        if (error !== null) expect(codes).toContain(error[0]);
      }),
      { numRuns: 1000 },
    );
  });
});

it("sendEncoded() puts a frame from elsewhere behind what was encoded before", () => {
  const protocol = createProtocol({ role: "server" });
  protocol.sendPing(Uint8Array.of(1));
  protocol.sendEncoded(Uint8Array.of(0x81, 0x01, 0x41));
  protocol.sendPing(Uint8Array.of(2));
  expect([...takeAll(protocol)]).toEqual([0x89, 0x01, 1, 0x81, 0x01, 0x41, 0x89, 0x01, 2]);
});
