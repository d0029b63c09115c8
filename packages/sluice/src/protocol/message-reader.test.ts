import { describe, expect, it } from "vitest";
import { Opcode } from "./opcode.ts";
import type { Inflater, PerMessageDeflateCodec } from "./permessage-deflate/codec.ts";
import { ProtocolError } from "./protocol-error.ts";
import {
  bytes,
  createProtocol,
  nextAll,
  type ProtocolOptions,
  receiveInAllSplits,
  takeAll,
} from "./splits.test-support.ts";
import { standardUtf8Codec } from "./utf8.ts";
import { ProtocolEvent } from "./websocket-protocol.ts";

const fromServer = (wire: string, options: Partial<ProtocolOptions> = {}) =>
  receiveInAllSplits(bytes(wire), { role: "client", ...options });
const fails = (closeCode: number, code: string) => ({ events: [], error: [closeCode, `ERR_SLUICE_${code}`] });

interface InflateCall {
  input: number[];
  isFinal: boolean;
  maxOutputBytes: number;
}

/** "Inflates" each byte to `factor` bytes of its value, at once or, `slow`, when told to. */
class FakeCodec implements PerMessageDeflateCodec {
  readonly calls: InflateCall[] = [];
  readonly waiting: { resolve(): void; reject(error: unknown): void }[] = [];
  closed = 0;
  heldBytes = 0;
  readonly inflater: Inflater;
  readonly deflater: PerMessageDeflateCodec["deflater"];

  constructor(factor: number, isSlow: boolean = false) {
    const codec = this;
    this.inflater = {
      inflate(input, isFinal, maxOutputBytes) {
        codec.calls.push({ input: [...input], isFinal, maxOutputBytes });
        const output = Buffer.from([...input].flatMap((byte) => Array<number>(factor).fill(byte)));
        if (output.byteLength > maxOutputBytes) {
          throw new ProtocolError(1009, "Too big", { section: "RFC 7692 §8", code: "ERR_SLUICE_MESSAGE_TOO_BIG" });
        }
        if (!isSlow) return output;
        return new Promise((resolve, reject) => codec.waiting.push({ resolve: () => resolve(output), reject }));
      },
      get heldBytes() {
        return codec.heldBytes;
      },
      close: () => void this.closed++,
    };
    this.deflater = { shouldDeflate: () => false, deflate: () => null, heldBytes: 0, close: () => void this.closed++ };
  }
}

describe("RFC 6455 §5.6, §8.1 text", () => {
  it.each([
    ["a BOM, which stays", "81 04 ef bb bf 41", "\ufeffA"],
    ["characters of each length", "81 0a 61 c3 a9 e2 82 ac f0 9f 98 80", "aé€😀"],
    ["a character cut by fragments", "01 02 f0 9f 00 01 98 80 01 80", "😀"],
    ["a character cut by an empty fragment and a Ping", "01 01 e2 00 00 89 00 80 02 82 ac", "€"],
    ["U+FFFD itself", "81 03 ef bf bd", "\ufffd"],
  ])("%s", (_, wire, text) => {
    const { events, error } = fromServer(wire);
    expect([events.filter(([type]) => type === "text"), error]).toEqual([[["text", text]], null]);
  });

  it.each([
    ["a byte that is never UTF-8", "81 01 ff"],
    ["an unfinished character at the end", "81 01 c3"],
    ["an unfinished character at the end of the last fragment", "01 01 61 80 02 e2 82"],
    ["an unfinished character and an empty last fragment", "01 02 61 c3 80 00"],
    ["a surrogate", "81 03 ed a0 80"],
    ["a surrogate pair", "81 06 ed a0 bd ed b8 80"],
    ["an overlong form", "81 02 c0 af"],
    ["beyond U+10FFFF", "81 04 f4 90 80 80"],
    ["a bad byte in the second fragment", "01 01 61 80 01 80"],
  ])("%s fails with 1007", (_, wire) => {
    expect(fromServer(wire)).toEqual(fails(1007, "INVALID_UTF8"));
  });

  it.each([
    ["in the first fragment, before the next has come", "01 04 61 62 63 ff"],
    ["at the end of a fragment, where only an impossible character can follow", "01 02 f4 90"],
    ["in a frame of which the rest has not come", "81 7e 03 e8 61 ff"],
    ["in a continuation of which the rest has not come", "01 01 e2 00 7e 03 e8 41"],
  ])("fails at once %s (F19)", (_, wire) => {
    expect(fromServer(wire)).toEqual(fails(1007, "INVALID_UTF8"));
  });

  it("fails with 1007 where the runtime's decoder refuses what its validator took", () => {
    const utf8 = { ...standardUtf8Codec, decode: () => null };
    expect(fromServer("01 01 61 80 01 62", { utf8 })).toEqual(fails(1007, "INVALID_UTF8"));
  });

  it("binary is not looked at", () => {
    expect(fromServer("82 02 ff c0")).toEqual({ events: [["binary", [255, 192]]], error: null });
  });

  it("messageByteLength is in bytes, not in units", () => {
    for (const wire of ["81 03 e2 82 ac", "01 01 e2 80 02 82 ac"]) {
      const protocol = createProtocol({ role: "client" });
      protocol.receive(bytes(wire));
      expect([protocol.next(true), protocol.message, protocol.messageByteLength]).toEqual([2, "€", 3]);
    }
  });
});

describe("D-09 binary messages", () => {
  it.each([
    ["empty", "82 00", []],
    ["empty, in fragments", "02 00 80 00", []],
    ["short", "82 02 01 02", [1, 2]],
    ["in fragments", "02 01 01 80 01 02", [1, 2]],
    ["of more than 64 bytes", `82 46 ${"07 ".repeat(70)}`, Array(70).fill(7)],
  ])("%s: a plain Uint8Array that owns all of its buffer", (_, wire, content) => {
    const read = () => {
      const protocol = createProtocol({ role: "client" });
      protocol.receive(bytes(wire));
      expect(protocol.next(true)).toBe(ProtocolEvent.MESSAGE);
      return protocol.message as Uint8Array<ArrayBuffer>;
    };
    const message = read();
    expect([...message]).toEqual(content);
    expect(Object.getPrototypeOf(message)).toBe(Uint8Array.prototype);
    expect([message.byteOffset, message.buffer.byteLength]).toEqual([0, content.length]);
    // Its owner may give it to another thread; nobody else feels that.
    structuredClone(message, { transfer: [message.buffer] });
    expect([...read()]).toEqual(content);
  });
});

describe("pooled binary messages", () => {
  it("lie next to each other in a buffer that has nothing else, and do not change with the input", () => {
    const protocol = createProtocol({ role: "client", chunkBuffers: "pooled" });
    const input = bytes("82 02 01 02 81 01 41 82 03 03 04 05");
    protocol.receive(input);
    const messages: unknown[] = [];
    while (protocol.next(true) === ProtocolEvent.MESSAGE) messages.push(protocol.message);
    input.fill(0xff);
    expect(messages).toEqual([Uint8Array.of(1, 2), "A", Uint8Array.of(3, 4, 5)]);
    const [first, , last] = messages as [Uint8Array, string, Uint8Array];
    expect(last.buffer).toBe(first.buffer);
    expect([...new Uint8Array(first.buffer)].slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
    expect(new Uint8Array(first.buffer).slice(5).every((byte) => byte === 0)).toBe(true);
  });

  it("in fragments: a buffer of its own", () => {
    const { events } = fromServer("02 01 01 80 01 02", { chunkBuffers: "pooled" });
    expect(events).toEqual([["binary", [1, 2]]]);
  });
});

describe("RFC 6455 §10.4 limits", () => {
  const limit = { maxMessageBytes: 10 };

  it("a message of maxMessageBytes passes, whole and in fragments", () => {
    const content = "01 ".repeat(10);
    expect(fromServer(`82 0a ${content}`, limit).error).toBeNull();
    expect(fromServer(`02 05 ${"01 ".repeat(5)} 00 00 80 05 ${"01 ".repeat(5)}`, limit).error).toBeNull();
  });

  it.each([
    ["in one frame", "82 0b"],
    ["in the sum of fragments", `02 06 ${"01 ".repeat(6)} 00 05`],
  ])("one byte more fails with 1009 at the header, %s", (_, wire) => {
    expect(fromServer(wire, limit)).toEqual(fails(1009, "MESSAGE_TOO_BIG"));
  });

  it("each message is counted from 0", () => {
    const message = `02 05 ${"01 ".repeat(5)} 80 05 ${"02 ".repeat(5)}`;
    expect(fromServer(`${message} ${message}`, { ...limit, maxFragments: 2 }).events).toHaveLength(2);
  });

  it("fragments beyond maxFragments fail with 1008, empty ones too; control frames are not counted", () => {
    const options = { maxFragments: 3 };
    expect(fromServer("02 00 00 00 89 00 80 00", options).error).toBeNull();
    expect(fromServer("02 00 00 00 00 00 00", options).error).toBeNull();
    expect(fromServer("02 00 00 00 00 00 00 00", options)).toEqual(fails(1008, "TOO_MANY_FRAGMENTS"));
  });

  it("the errors name the option and the section", () => {
    const errorOf = (wire: string, options: Partial<ProtocolOptions>): unknown => {
      const protocol = createProtocol({ role: "client", ...options });
      protocol.receive(bytes(wire));
      try {
        return protocol.next(true);
      } catch (error) {
        return error;
      }
    };
    expect(errorOf("82 0b", limit)).toMatchObject({
      message: "Cannot accept the message as maxMessageBytes is 10",
      limit: "maxMessageBytes",
      section: "RFC 6455 §10.4",
    });
    expect(errorOf("02 00 00 00", { maxFragments: 1 })).toMatchObject({
      message: "Cannot accept the message as maxFragments is 1",
      limit: "maxFragments",
    });
    expect(errorOf("82 7f 7f ff ff ff ff ff ff ff", {})).toMatchObject({ limit: "maxMessageBytes" });
    expect(errorOf("81 01 ff", {})).toMatchObject({ limit: null, section: "RFC 6455 §8.1" });
  });

  it("the default is 131,072 fragments", () => {
    const protocol = createProtocol({ role: "client" });
    const wire = new Uint8Array(2 * 131_072);
    wire[0] = 0x02;
    protocol.receive(wire);
    expect(protocol.next(true)).toBe(ProtocolEvent.NEED_DATA);
    protocol.receive(bytes("00 00"));
    expect(() => protocol.next(true)).toThrow("Cannot accept the message as maxFragments is 131072");
  });

  it("a header that promises much and no more costs little (F10)", () => {
    const protocol = createProtocol({ role: "client" });
    protocol.receive(bytes("82 7f 00 00 00 00 06 40 00 00 01"));
    expect(protocol.next(true)).toBe(ProtocolEvent.NEED_DATA);
    expect(protocol.assembledBytes).toBeLessThanOrEqual(2 ** 20);
    expect([protocol.isInMessage, protocol.bufferedBytes]).toEqual([true, 0]);
  });
});

describe("discard() (R8)", () => {
  const discardBefore = (wire: string) => {
    const protocol = createProtocol({ role: "client" });
    protocol.discard();
    protocol.receive(bytes(wire));
    return protocol;
  };

  it.each([
    ["text", "81 02 61 62", "", 2],
    ["text in fragments", "01 01 61 80 01 62", "", 2],
    ["binary", "82 02 01 02", new Uint8Array(0), 2],
    ["binary in fragments", "02 01 01 80 02 02 03", new Uint8Array(0), 3],
  ])("%s comes without its content", (_, wire, message, byteLength) => {
    const protocol = discardBefore(wire);
    expect([protocol.next(true), protocol.message, protocol.messageByteLength]).toEqual([2, message, byteLength]);
    expect(protocol.assembledBytes).toBe(0);
  });

  it("frees what was assembled, and holds nothing of the rest", () => {
    const protocol = createProtocol({ role: "client" });
    protocol.receive(bytes("02 02 01 02"));
    expect(protocol.next(true)).toBe(ProtocolEvent.NEED_DATA);
    expect(protocol.assembledBytes).toBe(2);
    protocol.discard();
    expect(protocol.assembledBytes).toBe(0);
    protocol.receive(bytes("80 03 03 04 05"));
    expect([protocol.next(true), protocol.message, protocol.messageByteLength]).toEqual([2, new Uint8Array(0), 5]);
  });

  it.each(["81 01 ff", "01 01 ff", "01 01 c3 80 00", "81 01 c3"])("text is still validated: %s", (wire) => {
    expect(() => discardBefore(wire).next(true)).toThrow("is not UTF-8");
  });

  it("compressed messages are still inflated, which keeps the context", () => {
    const deflate = new FakeCodec(2);
    const protocol = createProtocol({ role: "client", deflate });
    protocol.discard();
    protocol.receive(bytes("c1 01 61 42 01 01 80 01 02"));
    expect([protocol.next(true), protocol.message, protocol.messageByteLength]).toEqual([2, "", 2]);
    expect([protocol.next(true), protocol.message, protocol.messageByteLength]).toEqual([2, new Uint8Array(0), 4]);
    expect(deflate.calls.map(({ input }) => input)).toEqual([[0x61], [1], [2]]);
  });
});

describe("RFC 7692 §6 compressed messages", () => {
  const compressed = (wire: string, options: Partial<ProtocolOptions> = {}, factor: number = 2) =>
    fromServer(wire, { deflate: new FakeCodec(factor), ...options });

  it.each([
    ["text", "c1 02 61 62", [["text", "aabb"]]],
    ["binary", "c2 01 07", [["binary", [7, 7]]]],
    ["fragments, RSV1 on the first", "41 01 61 00 00 80 01 62", [["text", "aabb"]]],
    ["an empty last fragment", "42 01 07 80 00", [["binary", [7, 7]]]],
    [
      "compressed and plain messages next to each other, a Ping between fragments",
      "c1 01 61 81 01 62 42 01 07 89 00 80 01 08 82 01 09",
      [
        ["text", "aa"],
        ["text", "b"],
        ["ping", []],
        ["binary", [7, 7, 8, 8]],
        ["binary", [9]],
      ],
    ],
  ])("%s", (_, wire, events) => {
    expect(compressed(wire)).toEqual({ events, error: null });
  });

  it.each([
    ["a continuation", "41 01 61 c0 01 62"],
    ["a Ping", "c9 00"],
    ["a Close", "c8 00"],
  ])("RSV1 on %s fails with 1002 (E20)", (_, wire) => {
    expect(compressed(wire).error).toEqual([1002, "ERR_SLUICE_RESERVED_BIT"]);
  });

  it("RSV2 and RSV3 stay illegal", () => {
    expect(compressed("e1 01 61")).toEqual(fails(1002, "RESERVED_BIT"));
    expect(compressed("91 01 61")).toEqual(fails(1002, "RESERVED_BIT"));
  });

  it("a message in one piece is one call; empty slices that are not the last are none", () => {
    const deflate = new FakeCodec(1);
    const protocol = createProtocol({ role: "client", deflate, maxMessageBytes: 100 });
    protocol.receive(bytes("c1 02 61 62 41 00 00 01 63 00 00 80 00 c2 00"));
    expect(nextAll(protocol)).toEqual([
      ["text", "ab"],
      ["text", "c"],
      ["binary", []],
    ]);
    expect(deflate.calls).toEqual([
      { input: [0x61, 0x62], isFinal: true, maxOutputBytes: 100 },
      { input: [0x63], isFinal: false, maxOutputBytes: 100 },
      { input: [], isFinal: true, maxOutputBytes: 99 },
      { input: [], isFinal: true, maxOutputBytes: 100 },
    ]);
  });

  it("text is validated as it is inflated (F19)", () => {
    expect(compressed("41 01 ff", {}, 1)).toEqual(fails(1007, "INVALID_UTF8"));
    expect(compressed("41 02 e2 82 80 01 ac", {}, 1)).toEqual({ events: [["text", "€"]], error: null });
    expect(compressed("41 02 e2 82 80 00", {}, 1)).toEqual(fails(1007, "INVALID_UTF8"));
  });

  it("maxMessageBytes holds for what was inflated, over all fragments (E24)", () => {
    const limit = { maxMessageBytes: 4 };
    expect(compressed("42 01 01 80 01 02", limit)).toEqual({ events: [["binary", [1, 1, 2, 2]]], error: null });
    expect(compressed("42 01 01 00 01 02 80 01 03", limit)).toEqual(fails(1009, "MESSAGE_TOO_BIG"));
  });

  it("a message that compression made longer than maxMessageBytes passes; one that no sender makes fails at the header", () => {
    // Nothing comes of most of it, as of a stored block's header.
    const inflate: Inflater["inflate"] = (input) => input.subarray(0, 0);
    const deflate = new FakeCodec(1);
    const options = { deflate: { ...deflate, inflater: { ...deflate.inflater, inflate } }, maxMessageBytes: 8 };
    expect(fromServer(`c2 7e 04 09 ${"00 ".repeat(1033)}`, options)).toEqual({ events: [["binary", []]], error: null });
    expect(fromServer("c2 7e 04 0a", options)).toEqual(fails(1009, "MESSAGE_TOO_BIG"));
    expect(fromServer(`42 05 ${"00 ".repeat(5)} 00 7e 04 05`, options)).toEqual(fails(1009, "MESSAGE_TOO_BIG"));
  });

  it.each([
    ["at once", false],
    ["later", true],
  ])(
    "the limit that an inflater reaches %s is the ratio's where that is less: 1008; other faults stay",
    async (_, isSlow) => {
      const limit = new ProtocolError(1009, "Too big", {
        section: "RFC 7692 §8",
        code: "ERR_SLUICE_MESSAGE_TOO_BIG",
        limit: "maxMessageBytes",
      });
      const corrupt = new ProtocolError(1007, "Corrupt", { section: "RFC 7692 §7.2.2", code: "ERR_SLUICE_INFLATE" });
      const outcomeOf = async (fault: unknown, limits: Partial<ProtocolOptions>): Promise<unknown> => {
        const deflate = new FakeCodec(1);
        deflate.inflater.inflate = () => {
          if (isSlow) return Promise.reject(fault);
          throw fault;
        };
        const protocol = createProtocol({ role: "client", deflate, ...limits });
        protocol.receive(bytes("c2 01 00"));
        try {
          protocol.next(true);
          await protocol.pending;
          return protocol.next(true);
        } catch (error) {
          return error;
        }
      };
      expect(await outcomeOf(limit, { maxInflateRatio: 1 })).toMatchObject({
        closeCode: 1008,
        code: "ERR_SLUICE_INFLATE_RATIO",
        limit: "maxInflateRatio",
      });
      expect(await outcomeOf(limit, {})).toBe(limit);
      expect(await outcomeOf(corrupt, { maxInflateRatio: 1 })).toBe(corrupt);
      const notOurs = new TypeError("no fault of the peer");
      expect(await outcomeOf(notOurs, { maxInflateRatio: 1 })).toBe(notOurs);
    },
  );

  it("output in the inflater's shared memory is copied", () => {
    const shared = Buffer.alloc(100);
    const deflate = new FakeCodec(1);
    deflate.inflater.inflate = (input) => {
      shared.set(input);
      return shared.subarray(0, input.byteLength);
    };
    const protocol = createProtocol({ role: "client", deflate });
    protocol.receive(bytes("c2 02 01 02 42 01 03 80 01 04"));
    expect(protocol.next(true)).toBe(ProtocolEvent.MESSAGE);
    const first = protocol.message as Uint8Array;
    expect(protocol.next(true)).toBe(ProtocolEvent.MESSAGE);
    expect([[...first], [...(protocol.message as Uint8Array)]]).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect([first.buffer.byteLength, first.constructor]).toEqual([2, Uint8Array]);
  });

  it("assembledBytes includes the inflater; close() frees it and the deflater", () => {
    const deflate = new FakeCodec(1);
    deflate.heldBytes = 40_000;
    const protocol = createProtocol({ role: "client", deflate });
    protocol.receive(bytes("42 02 01 02"));
    protocol.next(true);
    expect(protocol.assembledBytes).toBe(40_002);
    protocol.close();
    expect(deflate.closed).toBe(2);
    expect(protocol.assembledBytes).toBe(40_000);
    protocol.receive(bytes("82 00"));
    expect([protocol.next(true), protocol.bufferedBytes]).toEqual([ProtocolEvent.NEED_DATA, 0]);
  });
});

describe("an inflater that takes its time (E25)", () => {
  const settle = async (deflate: FakeCodec, protocol: { pending: Promise<void> | null }) => {
    deflate.waiting.shift()?.resolve();
    await protocol.pending;
  };

  it("holds the parser until it is done; pending is then null", async () => {
    const deflate = new FakeCodec(2, true);
    const protocol = createProtocol({ role: "client", deflate });
    expect(protocol.pending).toBeNull();
    protocol.receive(bytes("c1 01 61 89 00 82 01 07"));
    expect([protocol.next(true), protocol.next(true), protocol.bufferedBytes]).toEqual([6, 6, 5]);
    expect(deflate.calls).toHaveLength(1);
    await settle(deflate, protocol);
    expect(protocol.pending).toBeNull();
    expect(nextAll(protocol)).toEqual([
      ["text", "aa"],
      ["ping", []],
      ["binary", [7]],
    ]);
  });

  it("slices of one message go to it one after the other", async () => {
    const deflate = new FakeCodec(1, true);
    const protocol = createProtocol({ role: "client", deflate });
    protocol.receive(bytes("42 02 01 02 00 01 03 80 00"));
    expect(protocol.next(true)).toBe(ProtocolEvent.PENDING);
    await settle(deflate, protocol);
    expect(protocol.next(false)).toBe(ProtocolEvent.PENDING);
    await settle(deflate, protocol);
    expect(protocol.next(false)).toBe(ProtocolEvent.PENDING);
    await settle(deflate, protocol);
    expect(nextAll(protocol)).toEqual([["binary", [1, 2, 3]]]);
    expect(deflate.calls.map(({ isFinal }) => isFinal)).toEqual([false, false, true]);
  });

  it("what it rejects with is thrown by next(); pending itself fulfils", async () => {
    const deflate = new FakeCodec(1, true);
    const protocol = createProtocol({ role: "client", deflate });
    protocol.receive(bytes("c1 01 61"));
    expect(protocol.next(true)).toBe(ProtocolEvent.PENDING);
    const { pending } = protocol;
    const error = new ProtocolError(1007, "Corrupt", { section: "RFC 7692 §7.2.2", code: "ERR_SLUICE_INFLATE" });
    deflate.waiting[0]?.reject(error);
    await expect(pending).resolves.toBeUndefined();
    expect(() => protocol.next(true)).toThrow(error);
    expect(() => protocol.next(true)).toThrow(error);
  });

  it("after close() its result is nobody's", async () => {
    const deflate = new FakeCodec(1, true);
    const protocol = createProtocol({ role: "client", deflate });
    protocol.receive(bytes("c1 01 61"));
    expect(protocol.next(true)).toBe(ProtocolEvent.PENDING);
    protocol.close();
    await settle(deflate, protocol);
    expect(protocol.next(true)).toBe(ProtocolEvent.NEED_DATA);
  });

  it("discard() meanwhile drops what it gives", async () => {
    const deflate = new FakeCodec(1, true);
    const protocol = createProtocol({ role: "client", deflate });
    protocol.receive(bytes("c1 01 61"));
    expect(protocol.next(true)).toBe(ProtocolEvent.PENDING);
    protocol.discard();
    await settle(deflate, protocol);
    expect(nextAll(protocol)).toEqual([["text", ""]]);
  });
});

describe("a compressed message's frame as it is sent", () => {
  it("has RSV1 on the first frame only when asked", () => {
    const protocol = createProtocol({ role: "server" });
    protocol.sendFrame(Opcode.TEXT, false, true, bytes("f2 48 cd"), 0, 3);
    protocol.sendFrame(Opcode.CONTINUATION, true, false, bytes("c9 c9 07 00"), 0, 4);
    expect(takeAll(protocol)).toEqual(bytes("41 03 f2 48 cd 80 04 c9 c9 07 00"));
  });
});
