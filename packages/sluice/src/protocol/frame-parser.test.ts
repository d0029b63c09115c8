import { describe, expect, it } from "vitest";
import { FrameParser, HeaderResult } from "./frame-parser.ts";
import type { ProtocolError } from "./protocol-error.ts";
import { bytes, createProtocol, hex, nextAll, receiveInAllSplits } from "./splits.test-support.ts";
import { ProtocolEvent } from "./websocket-protocol.ts";

const fromServer = (wire: string) => receiveInAllSplits(bytes(wire), { role: "client" });
const fromClient = (wire: string) => receiveInAllSplits(bytes(wire), { role: "server" });
const fails = (closeCode: number, code: string) => ({ events: [], error: [closeCode, `ERR_SLUICE_${code}`] });

describe("RFC 6455 §5.7 Examples", () => {
  it.each([
    ["a text message", "81 05 48 65 6c 6c 6f", [["text", "Hello"]]],
    ["a fragmented text message", "01 03 48 65 6c 80 02 6c 6f", [["text", "Hello"]]],
    ["a Ping", "89 05 48 65 6c 6c 6f", [["ping", [72, 101, 108, 108, 111]]]],
  ])("%s from a server", (_, wire, events) => {
    expect(fromServer(wire)).toEqual({ events, error: null });
  });

  it.each([
    ["a masked text message", "81 85 37 fa 21 3d 7f 9f 4d 51 58", [["text", "Hello"]]],
    ["a masked Pong", "8a 85 37 fa 21 3d 7f 9f 4d 51 58", [["pong", [72, 101, 108, 108, 111]]]],
  ])("%s from a client", (_, wire, events) => {
    expect(fromClient(wire)).toEqual({ events, error: null });
  });

  it.each([
    [256, "82 7e 01 00"],
    [65_536, "82 7f 00 00 00 00 00 01 00 00"],
  ])("a binary message of %i bytes", (length, header) => {
    const payload = Array.from({ length }, (_, i) => i & 0xff);
    const protocol = createProtocol({ role: "client" });
    protocol.receive(Uint8Array.from([...bytes(header), ...payload]));
    expect(nextAll(protocol)).toEqual([["binary", payload]]);
  });
});

describe("RFC 6455 §5.2 Base framing", () => {
  it.each([
    ["nothing", "", []],
    ["an empty message", "82 00", [["binary", []]]],
    [
      "frames back to back",
      "82 01 07 81 01 61 82 00",
      [
        ["binary", [7]],
        ["text", "a"],
        ["binary", []],
      ],
    ],
    ["a length of 126", `82 7e 00 7e ${"01 ".repeat(126)}`, [["binary", Array(126).fill(1)]]],
    ["an unfinished frame", "82 01 07 82 05 01 02", [["binary", [7]]]],
    ["an unfinished header", "82 01 07 82 7e 00", [["binary", [7]]]],
  ])("%s", (_, wire, events) => {
    expect(fromServer(wire)).toEqual({ events, error: null });
  });

  it("a masked length of 126 and of 65,536", () => {
    for (const [length, header] of [
      [126, "82 fe 00 7e"],
      [65_536, "82 ff 00 00 00 00 00 01 00 00"],
    ] as const) {
      const protocol = createProtocol({ role: "server" });
      const key = bytes("37 fa 21 3d");
      const payload = Array.from({ length }, (_, i) => (i * 7) & 0xff);
      const masked = payload.map((byte, i) => byte ^ (key[i & 3] as number));
      protocol.receive(Uint8Array.from([...bytes(header), ...key, ...masked]));
      expect(nextAll(protocol)).toEqual([["binary", payload]]);
    }
  });

  it.each([
    ["RSV1 without an extension", "c1 01 61"],
    ["RSV2", "a1 01 61"],
    ["RSV3", "91 01 61"],
    ["all of them on a control frame", "f9 00"],
  ])("%s fails with 1002", (_, wire) => {
    expect(fromServer(wire)).toEqual(fails(1002, "RESERVED_BIT"));
  });

  it.each(["3", "4", "5", "6", "7", "b", "c", "d", "e", "f"])("the reserved opcode 0x%s fails with 1002", (opcode) => {
    expect(fromServer(`8${opcode} 01 61`)).toEqual(fails(1002, "RESERVED_OPCODE"));
    expect(fromServer(`0${opcode} 01 61`)).toEqual(fails(1002, "RESERVED_OPCODE"));
  });

  it.each([
    ["125 in 16 bits", "82 7e 00 7d"],
    ["0 in 16 bits", "82 7e 00 00"],
    ["65,535 in 64 bits", "82 7f 00 00 00 00 00 00 ff ff"],
    ["0 in 64 bits", "82 7f 00 00 00 00 00 00 00 00"],
    ["the top bit of 64", "82 7f 80 00 00 00 00 00 00 01"],
  ])("a length of %s fails with 1002 (D-29)", (_, wire) => {
    expect(fromServer(wire)).toEqual(fails(1002, "INVALID_LENGTH"));
  });

  it.each([
    ["2^53", "82 7f 00 20 00 00 00 00 00 00"],
    ["2^63-1", "82 7f 7f ff ff ff ff ff ff ff"],
    ["2^53-1, as the limit is 100 MiB", "82 7f 00 1f ff ff ff ff ff ff"],
    ["100 MiB and a byte", "82 7f 00 00 00 00 06 40 00 01"],
  ])("a length of %s fails with 1009 at the header (F10)", (_, wire) => {
    expect(fromServer(wire)).toEqual(fails(1009, "MESSAGE_TOO_BIG"));
  });

  it("2^53-1 is exact where the limit allows it", () => {
    const parser = new FrameParser("client", false);
    parser.receive(bytes("82 7f 00 1f ff ff ff ff ff ff"));
    expect([parser.readHeader(true), parser.payloadLength]).toEqual([HeaderResult.HEADER, Number.MAX_SAFE_INTEGER]);
  });
});

describe("RFC 6455 §5.1 masking", () => {
  it("a frame from a client that is not masked fails with 1002", () => {
    expect(fromClient("81 05 48 65 6c 6c 6f")).toEqual(fails(1002, "INVALID_MASK"));
    expect(fromClient("89 00")).toEqual(fails(1002, "INVALID_MASK"));
  });

  it("a frame from a server that is masked fails with 1002, before its key has come", () => {
    expect(fromServer("81 85")).toEqual(fails(1002, "INVALID_MASK"));
    expect(fromServer("88 80 00 00 00 00")).toEqual(fails(1002, "INVALID_MASK"));
  });

  it("each frame has its own key", () => {
    expect(fromClient("02 82 01 02 03 04 01 02 80 83 ff 00 ff 00 fe 02 fc")).toEqual({
      events: [["binary", [0, 0, 1, 2, 3]]],
      error: null,
    });
  });
});

describe("RFC 6455 §5.4 Fragmentation", () => {
  it.each([
    ["empty fragments", "02 00 00 00 00 01 07 80 00", [["binary", [7]]]],
    ["nothing but empty fragments", "01 00 80 00", [["text", ""]]],
    ["a message whose whole content is in the last fragment", "01 00 80 01 61", [["text", "a"]]],
    [
      "control frames in between, which come first",
      "01 01 61 89 01 07 00 01 62 8a 00 80 01 63",
      [
        ["ping", [7]],
        ["pong", []],
        ["text", "abc"],
      ],
    ],
    [
      "the type of the first fragment, next to another message",
      "02 01 ff 80 01 fe 81 01 61",
      [
        ["binary", [255, 254]],
        ["text", "a"],
      ],
    ],
  ])("%s", (_, wire, events) => {
    expect(fromServer(wire)).toEqual({ events, error: null });
  });

  it.each([
    ["a continuation without a beginning", "80 01 61"],
    ["an unfinished continuation without a beginning", "00 01 61"],
    ["text inside a message", "01 01 61 81 01 62"],
    ["binary inside a message", "01 01 61 02 01 62"],
    ["a continuation behind the last fragment, be it in the same chunk", "01 00 80 00 80 00"],
  ])("%s fails with 1002", (_, wire) => {
    expect(fromServer(wire).error).toEqual([1002, "ERR_SLUICE_UNEXPECTED_FRAME"]);
  });
});

describe("RFC 6455 §5.5 Control frames", () => {
  it("125 bytes pass", () => {
    expect(fromServer(`89 7d ${"aa ".repeat(125)}`)).toEqual({
      events: [["ping", Array(125).fill(0xaa)]],
      error: null,
    });
  });

  it.each(["88 7e", "89 7e 00 7e", "8a 7f"])(
    "%s: more than 125 bytes fail with 1002, before the length has come",
    (wire) => {
      expect(fromServer(wire)).toEqual(fails(1002, "CONTROL_TOO_LONG"));
    },
  );

  it.each(["08 00", "09 01 61", "0a 00"])("%s: a fragmented one fails with 1002", (wire) => {
    expect(fromServer(wire)).toEqual(fails(1002, "FRAGMENTED_CONTROL"));
  });

  it("a payload is memory of its own", () => {
    const protocol = createProtocol({ role: "client" });
    const chunk = bytes("89 02 01 02 8a 02 03 04");
    protocol.receive(chunk);
    expect(protocol.next(true)).toBe(ProtocolEvent.PING);
    const first = protocol.payload;
    expect(protocol.next(true)).toBe(ProtocolEvent.PONG);
    chunk.fill(0);
    expect([[...first], [...protocol.payload]]).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });
});

/** Length fields: name, bytes behind the mask bit, and what RFC 6455 §5.2 says of them. */
const LENGTHS: [field: number, rest: string, verdict: "exact" | "not minimal" | "top bit" | "beyond 2^53-1"][] = [
  [0, "", "exact"],
  [1, "", "exact"],
  [125, "", "exact"],
  [126, "00 00", "not minimal"],
  [126, "00 7d", "not minimal"],
  [126, "00 7e", "exact"],
  [126, "ff ff", "exact"],
  [127, "00 00 00 00 00 00 00 05", "not minimal"],
  [127, "00 00 00 00 00 00 ff ff", "not minimal"],
  [127, "00 00 00 00 00 01 00 00", "exact"],
  [127, "00 1f ff ff ff ff ff ff", "exact"],
  [127, "00 20 00 00 00 00 00 00", "beyond 2^53-1"],
  [127, "80 00 00 00 00 00 00 05", "top bit"],
];

/** The specification once more, clause by clause, on bits and names instead of numbers. @returns the close code, or null */
function judge(first: number, [field, , verdict]: (typeof LENGTHS)[number], context: Context): number | null {
  const bits = first.toString(2).padStart(8, "0");
  const [fin, rsv, opcode] = [bits.slice(0, 1), bits.slice(1, 4), bits.slice(4)];
  const kinds: Record<string, string> = { "0000": "rest", "0001": "start", "0010": "start" };
  for (const control of ["1000", "1001", "1010"]) kinds[control] = "control";
  const kind = kinds[opcode];
  const broken = [
    kind === undefined, // §5.2: "If an unknown opcode is received"
    rsv !== "000" && !(rsv === "100" && kind === "start" && context.hasDeflate), // §5.2, RFC 7692 §6
    context.isMasked !== (context.role === "server"), // §5.1
    kind === "control" && (fin === "0" || field > 125), // §5.5
    kind === "rest" && !context.isInMessage, // §5.4
    kind === "start" && context.isInMessage, // §5.4
    verdict === "not minimal" || verdict === "top bit", // §5.2, D-29
  ];
  if (broken.includes(true)) return 1002;
  return verdict === "beyond 2^53-1" ? 1009 : null;
}

interface Context {
  role: "client" | "server";
  hasDeflate: boolean;
  isInMessage: boolean;
  isMasked: boolean;
}

describe("RFC 6455 §5.2 every header there is", () => {
  const inflater = { inflate: () => new Uint8Array(0), heldBytes: 0, close() {} };
  const deflater = { shouldDeflate: () => false, deflate: () => null, heldBytes: 0, close() {} };
  const booleans = [false, true];
  const contexts: Context[] = (["client", "server"] as const).flatMap((role) =>
    booleans.flatMap((hasDeflate) =>
      booleans.flatMap((isInMessage) => booleans.map((isMasked) => ({ role, hasDeflate, isInMessage, isMasked }))),
    ),
  );

  it.each(contexts)("to a $role, deflate $hasDeflate, inside a message $isInMessage, masked $isMasked", (context) => {
    const { role, hasDeflate, isInMessage, isMasked } = context;
    const outcomes: unknown[] = [];
    const expected: unknown[] = [];
    for (let first = 0; first < 256; first++) {
      for (const length of LENGTHS) {
        const [field, rest] = length;
        const protocol = createProtocol({
          role,
          deflate: hasDeflate ? { inflater, deflater } : undefined,
          maxMessageBytes: Number.MAX_SAFE_INTEGER,
        });
        if (isInMessage) protocol.receive(bytes(role === "server" ? "02 80 00 00 00 00" : "02 00"));
        const second = field | (isMasked ? 0x80 : 0);
        protocol.receive(Uint8Array.of(first, second, ...bytes(rest), ...(isMasked ? [1, 2, 3, 4] : [])));
        const name = `${hex(Uint8Array.of(first, second))} ${rest}`;
        expected.push([name, judge(first, length, context)]);
        try {
          protocol.next(true);
          outcomes.push([name, null]);
        } catch (error) {
          outcomes.push([name, (error as ProtocolError).closeCode]);
        }
      }
    }
    expect(outcomes).toEqual(expected);
  });
});

describe("chunks", () => {
  it("bufferedBytes counts what is received and not consumed, cut headers included", () => {
    const parser = new FrameParser("client", false);
    parser.receive(bytes("82"));
    expect([parser.bufferedBytes, parser.readHeader(true), parser.bufferedBytes]).toEqual([
      1,
      HeaderResult.NEED_DATA,
      1,
    ]);
    parser.receive(bytes("03 01"));
    parser.receive(bytes("02 03 82"));
    expect(parser.bufferedBytes).toBe(6);
    expect([parser.readHeader(true), parser.bufferedBytes]).toEqual([HeaderResult.HEADER, 4]);
    expect([parser.unmaskPayload(), parser.unmaskPayload(), parser.unmaskPayload()]).toEqual([1, 2, 0]);
    expect(parser.bufferedBytes).toBe(1);
    parser.clear();
    expect([parser.bufferedBytes, parser.readHeader(true)]).toEqual([0, HeaderResult.NEED_DATA]);
  });

  it("empty ones, however many, are nothing", () => {
    const protocol = createProtocol({ role: "client" });
    protocol.receive(bytes("82"));
    for (let i = 0; i < 100_000; i++) protocol.receive(new Uint8Array(0));
    protocol.receive(bytes("01 07"));
    expect(nextAll(protocol)).toEqual([["binary", [7]]]);
  });

  it("retain() keeps what is not consumed when the lender overwrites its memory, in one chunk and in many", () => {
    for (const count of [1, 2, 63, 64, 65, 66, 200, 1000]) {
      const protocol = createProtocol({ role: "client" });
      const lent = new Uint8Array(3);
      for (let i = 0; i < count; i++) {
        lent.set([0x82, 1, i & 0xff]);
        protocol.receive(lent);
        protocol.retain();
        lent.fill(0xee);
      }
      expect(protocol.bufferedBytes).toBe(3 * count);
      expect(nextAll(protocol)).toEqual(Array.from({ length: count }, (_, i) => ["binary", [i & 0xff]]));
      protocol.retain();
      expect(protocol.bufferedBytes).toBe(0);
    }
  });

  it("retain() in the middle of waiting chunks, in a payload, and in a header", () => {
    const protocol = createProtocol({ role: "client" });
    const wire = Array.from({ length: 200 }, (_, i) => [0x82, 2, i, 255 - i]).flat();
    const received: unknown[] = [];
    const lent = new Uint8Array(1);
    for (const [index, byte] of wire.entries()) {
      lent[0] = byte;
      protocol.receive(lent);
      // Every now and then a single event, so that chunks wait behind a partly consumed one.
      if (index % 7 === 0 && protocol.next(true) === ProtocolEvent.MESSAGE)
        received.push([...(protocol.message as Uint8Array)]);
      protocol.retain();
      lent[0] = 0xee;
    }
    for (const [, content] of nextAll(protocol)) received.push(content);
    expect(received).toEqual(Array.from({ length: 200 }, (_, i) => [i, 255 - i]));
  });

  it("those of a Buffer are not shared with messages", () => {
    const protocol = createProtocol({ role: "client" });
    const chunk = Buffer.from(bytes("82 02 01 02 82 46 ".concat("05 ".repeat(70))));
    protocol.receive(chunk);
    expect(protocol.next(true)).toBe(ProtocolEvent.MESSAGE);
    const short = protocol.message as Uint8Array;
    expect(protocol.next(true)).toBe(ProtocolEvent.MESSAGE);
    const long = protocol.message as Uint8Array;
    chunk.fill(0);
    for (const [message, content] of [
      [short, [1, 2]],
      [long, Array(70).fill(5)],
    ] as const) {
      expect([...message]).toEqual(content);
      expect(Object.getPrototypeOf(message)).toBe(Uint8Array.prototype);
      expect([message.byteOffset, message.buffer.byteLength]).toEqual([0, content.length]);
    }
  });
});
