import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtocolError } from "../protocol/protocol-error.ts";
import { CreditCodec, CreditEvent } from "./credit-codec.ts";

type Wire = string | { hex: string } | { zeros: number } | { text: string; times: number };
interface Step {
  receive?: Wire;
  at?: number;
  want?: Wire | null;
  send?: Wire;
  records?: string[];
  data?: Wire[];
  credit?: number;
  granted?: number;
  error?: number;
}
interface Vector {
  name: string;
  window: number;
  maxWindow?: number;
  maxMessageBytes?: number;
  steps: Step[];
}

const vectorsUrl = new URL("../../../../docs/flow-control.vectors.json", import.meta.url);
const { vectors } = JSON.parse(readFileSync(vectorsUrl, "utf8")) as { vectors: Vector[] };

function wire(value: Wire): string | Uint8Array<ArrayBuffer> {
  if (typeof value === "string") return value;
  if ("hex" in value) return new Uint8Array(Buffer.from(value.hex, "hex"));
  if ("zeros" in value) return new Uint8Array(value.zeros);
  return value.text.repeat(value.times);
}

function takeAll<T>(take: () => T | null): T[] {
  const taken: T[] = [];
  for (let item = take(); item !== null; item = take()) taken.push(item);
  return taken;
}

/** Compact, so that a failure does not print 64 KiB. */
function shown(value: string | Uint8Array): string {
  const text =
    typeof value === "string" ? `text ${JSON.stringify(value)}` : `bytes ${Buffer.from(value).toString("hex")}`;
  return text.length > 80 ? `${text.slice(0, 40)} (${value.length})` : text;
}

function runStep(codec: CreditCodec, step: Step): void {
  if (step.receive !== undefined) codec.receive(wire(step.receive), step.at ?? 0);
  if (step.send !== undefined) codec.send(wire(step.send));
  if (step.want !== undefined) {
    const event = codec.next(true);
    if (step.want === null) expect(event).toBe(CreditEvent.NEED_DATA);
    else if (step.want === "END") expect(event).toBe(CreditEvent.END);
    else {
      expect(event).toBe(CreditEvent.MESSAGE);
      expect(shown(codec.message)).toBe(shown(wire(step.want)));
    }
  }
  if (step.records !== undefined) expect(takeAll(() => codec.takeRecord())).toEqual(step.records);
  if (step.data !== undefined)
    expect(takeAll(() => codec.takeData()).map(shown)).toEqual(step.data.map((item) => shown(wire(item))));
  if (step.credit !== undefined) expect(codec.creditBytes).toBe(step.credit);
  if (step.granted !== undefined) expect(codec.grantedBytes).toBe(step.granted);
}

describe("docs/flow-control.vectors.json", () => {
  it.each(vectors)("$name", ({ window, maxWindow, maxMessageBytes, steps }) => {
    const codec = new CreditCodec({ windowBytes: window, maxWindowBytes: maxWindow ?? window, maxMessageBytes });
    for (let i = 0; i < steps.length; i++) {
      const expected = steps[i + 1]?.error;
      if (expected === undefined) runStep(codec, steps[i]);
      else {
        let error: unknown = null;
        try {
          runStep(codec, steps[i]);
        } catch (thrown) {
          error = thrown;
        }
        expect(error).toBeInstanceOf(ProtocolError);
        expect((error as ProtocolError).closeCode).toBe(expected);
        return;
      }
    }
  });
});

describe("CreditCodec", () => {
  it("throws a RangeError when the window is outside 65536 to 2147483647 or above its cap", () => {
    for (const windowBytes of [0, 65_535, 2 ** 31, 65_536.5, Number.NaN])
      expect(() => new CreditCodec({ windowBytes })).toThrow(RangeError);
    expect(() => new CreditCodec({ windowBytes: 131_072, maxWindowBytes: 65_536 })).toThrow(RangeError);
    expect(() => new CreditCodec({ windowBytes: 2 ** 31 - 1 })).not.toThrow();
  });

  it("retain() keeps what is unsent when the caller overwrites its memory", () => {
    const codec = new CreditCodec();
    codec.send(new Uint8Array(65_536));
    takeAll(() => codec.takeData());
    const memory = new Uint8Array([1, 2, 3]);
    codec.send(memory);
    expect(codec.takeData()).toBeNull();
    codec.retain();
    memory.fill(9);
    codec.receive("\u0010C70000", 0);
    expect(codec.takeData()).toEqual(new Uint8Array([1, 2, 3]));
    expect(codec.isSending).toBe(false);
  });

  it("end() sends E behind the message being sent", () => {
    const codec = new CreditCodec();
    codec.send("last");
    codec.end();
    expect(takeAll(() => codec.takeData())).toEqual(["last", "\u0010E"]);
  });

  it("discard() drops what is queued and what comes, and pays for it", () => {
    const codec = new CreditCodec({ windowBytes: 65_536, maxWindowBytes: 65_536 });
    codec.receive(new Uint8Array(40_000), 0);
    codec.discard();
    expect(codec.queuedBytes).toBe(0);
    expect(codec.takeRecord()).toBe("\u0010C40128");
    codec.receive(new Uint8Array(40_000), 0);
    expect(codec.takeRecord()).toBe("\u0010C40128");
    expect(codec.next(true)).toBe(CreditEvent.NEED_DATA);
  });

  it("answers only the latest of many pings, so a flood of them takes one slot", () => {
    const codec = new CreditCodec({ windowBytes: 65_536 });
    for (let i = 0; i < 1000; i++) codec.receive(`\u0010P${i}`, 0);
    expect(takeAll(() => codec.takeRecord())).toEqual(["\u0010Q999"]);
  });

  it("ping() sends its token, and the answer is no message", () => {
    const codec = new CreditCodec({ windowBytes: 65_536 });
    codec.ping("7");
    expect(takeAll(() => codec.takeRecord())).toEqual(["\u0010P7"]);
    codec.receive("\u0010Q7", 0);
    expect(codec.next(true)).toBe(CreditEvent.NEED_DATA);
    expect(codec.takeRecord()).toBeNull();
  });

  it("fails with 1009 when a message has more pieces than its limit", () => {
    const codec = new CreditCodec({ maxPieces: 2 });
    codec.receive("\u0010B", 0);
    codec.receive("", 0);
    codec.receive("", 0);
    expect(() => codec.receive("", 0)).toThrow(expect.objectContaining({ closeCode: 1009 }));
  });

  it.each([
    ["empty and tiny", (index: number) => index % 3],
    ["tiny, with a large one now and then", (index: number) => (index % 200 === 0 ? 60_000 : 1)],
    ["large", () => 1_000],
  ])("takes a message in 3,000 pieces, %s", (_, lengthOf) => {
    for (const isText of [false, true]) {
      const codec = new CreditCodec();
      codec.next(true);
      codec.receive("\u0010B", 0);
      const pieces = Array.from({ length: 3_000 }, (_, index) =>
        isText ? String(index % 10).repeat(lengthOf(index)) : new Uint8Array(lengthOf(index)).fill(index),
      );
      for (const piece of pieces) {
        codec.receive(piece, 0);
        takeAll(() => codec.takeRecord());
      }
      codec.receive("\u0010F", 0);
      expect(codec.next(true)).toBe(CreditEvent.MESSAGE);
      if (isText) expect(codec.message).toBe(pieces.join(""));
      else expect(Buffer.concat(pieces as Uint8Array[]).equals(codec.message as Uint8Array)).toBe(true);
    }
  });

  it("discards in the middle of a message of many pieces", () => {
    const codec = new CreditCodec();
    takeAll(() => codec.takeRecord());
    codec.receive("\u0010B", 0);
    for (let count = 0; count < 1_500; count++) codec.receive(new Uint8Array(2), 0);
    codec.discard();
    for (let count = 0; count < 1_500; count++) codec.receive(new Uint8Array(2), 0);
    codec.receive("\u0010F", 0);
    expect(codec.next(true)).toBe(CreditEvent.NEED_DATA);
    expect(codec.queuedBytes).toBe(0);
  });

  it("never throws anything but a ProtocolError on what a peer may send", () => {
    const anyWire = fc.oneof(
      fc.constantFrom("\u0010B", "\u0010F", "\u0010A", "\u0010E", "\u0010W", "\u0010C70000", "\u0010P", "\u0010Q1"),
      fc.string({ unit: "binary" }),
      fc.string().map((text) => `\u0010${text}`),
      fc.nat({ max: 70_000 }).map((length) => new Uint8Array(length)),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(anyWire, fc.boolean()), { maxLength: 60 }), (messages) => {
        const codec = new CreditCodec({ windowBytes: 65_536 });
        let bound = 0;
        try {
          for (const [message, isWanted] of messages) {
            codec.receive(message, 0);
            codec.next(isWanted);
            takeAll(() => codec.takeRecord());
            bound = Math.max(bound, codec.queuedBytes);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});

describe("Two peers", () => {
  const message = fc.oneof(
    { weight: 4, arbitrary: fc.string({ unit: "grapheme", maxLength: 40 }) },
    { weight: 1, arbitrary: fc.string({ maxLength: 10 }).map((text) => `\u0010${text}`) },
    { weight: 4, arbitrary: fc.uint8Array({ maxLength: 300 }) },
    { weight: 2, arbitrary: fc.nat({ max: 300_000 }).map((length) => new Uint8Array(length).fill(length & 255)) },
    { weight: 2, arbitrary: fc.nat({ max: 90_000 }).map((length) => "a\u20ac\ud83d\ude00\u0010".repeat(length / 5)) },
  );
  const step = fc.constantFrom("read", "read", "deliver", "deliver", "deliver", "send", "send");

  it("deliver every message unchanged and in order, within the window, and never stand still", () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 25 }),
        fc.array(step, { maxLength: 300 }),
        fc.constantFrom(65_536, 100_000, 1_048_576),
        (messages, steps, windowBytes) => {
          const sender = new CreditCodec({ windowBytes });
          const receiver = new CreditCodec({ windowBytes, maxWindowBytes: windowBytes });
          const toReceiver: (string | Uint8Array)[] = [];
          const toSender: string[] = [];
          const read: (string | Uint8Array)[] = [];
          let next = 0;
          let isEnded = false;
          const pump = (): void => {
            for (;;) {
              toReceiver.push(...takeAll(() => sender.takeRecord()), ...takeAll(() => sender.takeData()));
              if (sender.isSending || next > messages.length) break;
              if (next === messages.length) sender.end();
              else sender.send(messages[next]);
              next += 1;
            }
            toReceiver.push(...takeAll(() => sender.takeRecord()));
            toSender.push(...takeAll(() => receiver.takeRecord()));
          };
          let isReading = false;
          const act = (what: string): boolean => {
            if (what === "read") isReading = true;
            else if (what === "deliver") {
              const wireMessage = toReceiver.shift();
              if (wireMessage !== undefined)
                receiver.receive(typeof wireMessage === "string" ? wireMessage : wireMessage.slice(), 0);
              const record = toSender.shift();
              if (record !== undefined) sender.receive(record, 0);
              if (wireMessage === undefined && record === undefined && !isReading) return false;
            }
            if (isReading) {
              const event = receiver.next(true);
              if (event === CreditEvent.MESSAGE) {
                read.push(receiver.message);
                isReading = false;
              } else if (event === CreditEvent.END) isEnded = true;
            }
            pump();
            // One piece may overshoot; the message that a reader waits for is outside the window.
            if (!isReading) expect(receiver.queuedBytes).toBeLessThanOrEqual(windowBytes + 65_536 + 300_000);
            return true;
          };
          pump();
          for (const what of steps) act(what);
          for (let turns = 0; !isEnded; turns++) {
            expect(turns).toBeLessThan(5_000);
            act("read");
            act("deliver");
          }
          expect(read.map(shown)).toEqual(messages.map(shown));
          expect(read.every((item, i) => item.length === messages[i].length)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });
});
