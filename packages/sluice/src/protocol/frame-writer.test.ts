import { describe, expect, it } from "vitest";
import { FrameWriter } from "./frame-writer.ts";
import { MaskingKeys } from "./mask.ts";
import { Opcode } from "./opcode.ts";
import { BLOCK_BYTES, OutputBlocks } from "./output-blocks.ts";
import { bytes, createProtocol, hex, takeAll } from "./splits.test-support.ts";
import { standardUtf8Codec } from "./utf8.ts";

const HELLO = bytes("48 65 6c 6c 6f");

/** A server's frame; hexadecimal. */
function write(opcode: Opcode, isFin: boolean, isCompressed: boolean, payload: Uint8Array): string {
  const blocks = new OutputBlocks();
  new FrameWriter(blocks, null).writeFrame(opcode, isFin, isCompressed, payload, 0, payload.byteLength);
  return hex(blocks.take() as Uint8Array);
}

describe("RFC 6455 §5.7 Examples", () => {
  it("unmasked from a server", () => {
    expect(write(Opcode.TEXT, true, false, HELLO)).toBe("81 05 48 65 6c 6c 6f");
    expect(write(Opcode.TEXT, false, false, HELLO.subarray(0, 3))).toBe("01 03 48 65 6c");
    expect(write(Opcode.CONTINUATION, true, false, HELLO.subarray(3))).toBe("80 02 6c 6f");
    expect(write(Opcode.PING, true, false, HELLO)).toBe("89 05 48 65 6c 6c 6f");
  });

  it("RFC 7692 §7.2.3.1: RSV1 on a compressed message", () => {
    expect(write(Opcode.TEXT, true, true, bytes("f2 48 cd c9 c9 07 00"))).toBe("c1 07 f2 48 cd c9 c9 07 00");
  });

  it("masked from a client", () => {
    const protocol = createProtocol({ role: "client" });
    protocol.sendFrame(Opcode.TEXT, true, false, HELLO, 0, 5);
    protocol.sendShortText("Hello");
    protocol.sendPong(HELLO);
    protocol.sendClose(1000, "");
    expect(hex(takeAll(protocol))).toBe(
      "81 85 37 fa 21 3d 7f 9f 4d 51 58 81 85 37 fa 21 3d 7f 9f 4d 51 58 " +
        "8a 85 37 fa 21 3d 7f 9f 4d 51 58 88 82 37 fa 21 3d 34 12",
    );
  });
});

describe("RFC 6455 §5.2 Base framing", () => {
  it.each([0, 1, 31, 32, 33, 125, 126, 127, 65_535, 65_536, 131_072])(
    "%i bytes, as a part of the given memory",
    (length) => {
      const source = Uint8Array.from({ length: length + 5 }, (_, i) => i & 0xff);
      const before = source.slice();
      for (const role of ["server", "client"] as const) {
        const protocol = createProtocol({ role });
        protocol.sendFrame(Opcode.BINARY, true, false, source, 3, 3 + length);
        const wire = takeAll(protocol);
        const headerLength = wire.length - length;
        expect(headerLength).toBe((length < 126 ? 2 : length < 65_536 ? 4 : 10) + (role === "client" ? 4 : 0));
        const peer = createProtocol({ role: role === "client" ? "server" : "client" });
        peer.receive(wire);
        expect([peer.next(true), peer.message]).toEqual([2, source.slice(3, 3 + length)]);
      }
      // Masking never happens in the caller's memory.
      expect(source).toEqual(before);
    },
  );

  it("a whole array of more than 32 bytes is copied as such", () => {
    const payload = new Uint8Array(40).fill(9);
    expect(write(Opcode.BINARY, true, false, payload)).toBe(`82 28 ${hex(payload)}`);
  });

  it("the length of a short text is in the shortest form, whatever its characters take", () => {
    for (const [text, header] of [
      ["", "81 00"],
      ["x".repeat(125), "81 7d"],
      ["x".repeat(126), "81 7e 00 7e"],
      ["é".repeat(62), "81 7c"],
      ["é".repeat(63), "81 7e 00 7e"],
      ["€".repeat(41), "81 7b"],
      ["€".repeat(42), "81 7e 00 7e"],
      ["😀".repeat(2730), "81 7e 2a a8"],
      ["€".repeat(5461), "81 7e 3f ff"],
      ["x".repeat(65_536), "81 7f 00 00 00 00 00 01 00 00"],
    ] as const) {
      const protocol = createProtocol({ role: "server" });
      const expected = new TextEncoder().encode(text);
      expect(protocol.sendShortText(text)).toBe(expected.length);
      const wire = takeAll(protocol);
      expect(hex(wire.subarray(0, wire.length - expected.length))).toBe(header);
      expect(hex(wire.subarray(wire.length - expected.length))).toBe(hex(expected));
    }
  });

  it.each([
    ["ASCII, a frame and a unit", "x".repeat(131_073)],
    ["ASCII, exactly two frames", "x".repeat(262_144)],
    ["two bytes a character", "é".repeat(70_000)],
    ["three bytes a character, which no frame of 131,072 bytes holds whole", "€".repeat(100_000)],
    ["pairs", "😀".repeat(70_000)],
    ["pairs behind a letter", `a${"😀".repeat(70_000)}`],
    ["pairs behind two letters", `aa${"😀".repeat(70_000)}`],
    ["pairs behind three letters", `aaa${"😀".repeat(70_000)}`],
    ["a pair over the end of the part that is looked at", `${"x".repeat(131_071)}😀y`],
    ["a lone surrogate there", `${"x".repeat(131_071)}\ud83dy`],
    ["lone surrogates only", "\udc00".repeat(50_000)],
    ["a BOM", `\ufeff${"x".repeat(6_000)}`],
    ["what the header's guess is too short for", "€".repeat(125)],
    ["and by six bytes", "é".repeat(65_535)],
  ])("a text in parts arrives whole, in frames of 131,072 bytes at most: %s", (_case, text) => {
    for (const role of ["server", "client"] as const) {
      const protocol = createProtocol({ role });
      const peer = createProtocol({ role: role === "client" ? "server" : "client" });
      let sentBytes = 0;
      for (let start = 0; start < text.length; ) {
        const { read, written } = protocol.sendTextPart(start === 0 ? Opcode.TEXT : Opcode.CONTINUATION, text, start);
        expect(written).toBeLessThanOrEqual(131_072);
        start += read;
        sentBytes += written;
        // Full, but for a character that does not fit.
        if (start < text.length) expect(written).toBeGreaterThan(131_068);
      }
      expect(sentBytes).toBe(protocol.byteLengthOf(text));
      peer.receive(takeAll(protocol));
      expect(peer.next(true)).toBe(2);
      expect(peer.message === text.toWellFormed()).toBe(true);
      expect(peer.next(true)).toBe(0);
    }
  });

  it("lone surrogates go as U+FFFD, a BOM stays", () => {
    const protocol = createProtocol({ role: "server" });
    protocol.sendShortText("\ud800");
    protocol.sendShortText("\ufeffA");
    expect(hex(takeAll(protocol))).toBe("81 03 ef bf bd 81 04 ef bb bf 41");
    expect(hex(protocol.encodeText("a\udfff"))).toBe("61 ef bf bd");
  });
});

describe("RFC 6455 §5.3 Client-to-server masking", () => {
  it("every frame has a fresh key, empty ones too (F06)", () => {
    let counter = 0;
    const keys = new MaskingKeys((target) => {
      const view = new DataView(target.buffer);
      for (let i = 0; i < target.byteLength; i += 4) view.setInt32(i, ++counter, true);
    });
    const blocks = new OutputBlocks();
    const writer = new FrameWriter(blocks, keys);
    writer.writeFrame(Opcode.PING, true, false, new Uint8Array(0), 0, 0);
    writer.writeFrame(Opcode.BINARY, true, false, new Uint8Array(0), 0, 0);
    writer.writeFrame(Opcode.BINARY, true, false, new Uint8Array(4), 0, 4);
    writer.writeShortText("", standardUtf8Codec);
    expect(hex(blocks.take() as Uint8Array)).toBe(
      "89 80 01 00 00 00 82 80 02 00 00 00 82 84 03 00 00 00 03 00 00 00 81 80 04 00 00 00",
    );
  });
});

describe("RFC 6455 §5.5 Control frames", () => {
  it("sendPing() and sendPong() take 125 bytes and throw RangeError for more", () => {
    const protocol = createProtocol({ role: "server" });
    protocol.sendPing(new Uint8Array(125));
    expect(hex(takeAll(protocol).subarray(0, 3))).toBe("89 7d 00");
    for (const send of ["sendPing", "sendPong"] as const) {
      expect(() => protocol[send](new Uint8Array(126))).toThrow(
        new RangeError("Cannot send control frame as its payload must be at most 125 bytes: current length is 126"),
      );
    }
    expect(protocol.outputBytes).toBe(0);
  });
});

describe("output", () => {
  it("outputBytes counts what is not taken; hasFullBlock says when a block will not grow any more", () => {
    const protocol = createProtocol({ role: "server" });
    expect([protocol.outputBytes, protocol.hasFullBlock, protocol.takeOutput()]).toEqual([0, false, null]);
    const payload = new Uint8Array(BLOCK_BYTES / 2);
    protocol.sendFrame(Opcode.BINARY, true, false, payload, 0, payload.length);
    expect([protocol.outputBytes, protocol.hasFullBlock]).toEqual([payload.length + 4, false]);
    protocol.sendFrame(Opcode.BINARY, true, false, payload, 0, payload.length);
    expect([protocol.outputBytes, protocol.hasFullBlock]).toEqual([2 * payload.length + 8, true]);
    expect(protocol.takeOutput()).toHaveLength(payload.length + 4);
    expect([protocol.outputBytes, protocol.hasFullBlock]).toEqual([payload.length + 4, false]);
    expect(protocol.takeOutput()).toHaveLength(payload.length + 4);
    expect([protocol.outputBytes, protocol.takeOutput()]).toEqual([0, null]);
  });

  it("close() drops it", () => {
    const protocol = createProtocol({ role: "server" });
    protocol.sendShortText("a");
    protocol.close();
    expect([protocol.outputBytes, protocol.takeOutput()]).toEqual([0, null]);
  });
});
