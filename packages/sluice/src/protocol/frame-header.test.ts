import { describe, expect, it } from "vitest";
import {
  checkHeader,
  headerByteLength,
  MAX_HEADER_BYTES,
  readPayloadLength,
  receivedHeaderByteLength,
  writeHeader,
} from "./frame-header.ts";
import { bytes, hex } from "./splits.test-support.ts";

describe("RFC 6455 §5.2 Base framing", () => {
  const forms: [payloadLength: number, header: string][] = [
    [0, "82 00"],
    [125, "82 7d"],
    [126, "82 7e 00 7e"],
    [256, "82 7e 01 00"],
    [65_535, "82 7e ff ff"],
    [65_536, "82 7f 00 00 00 00 00 01 00 00"],
    [2 ** 31, "82 7f 00 00 00 00 80 00 00 00"],
    [2 ** 32 + 1, "82 7f 00 00 00 01 00 00 00 01"],
    [Number.MAX_SAFE_INTEGER, "82 7f 00 1f ff ff ff ff ff ff"],
  ];

  it.each(forms)("a length of %i is written in the shortest form, and read again", (payloadLength, header) => {
    const target = new Uint8Array(headerByteLength(payloadLength) + 1);
    writeHeader(target, 1, 0x82, 0, payloadLength);
    expect(hex(target.subarray(1))).toBe(header);
    expect(readPayloadLength(target, 1)).toBe(payloadLength);
    expect(receivedHeaderByteLength(target[2] as number)).toBe(headerByteLength(payloadLength));
  });

  it.each(forms)("a length of %i has the mask bit on top, and room for the key", (payloadLength, header) => {
    const target = new Uint8Array(headerByteLength(payloadLength));
    writeHeader(target, 0, 0x82, 0x80, payloadLength);
    const second = target[1] as number;
    expect(second).toBe(Number.parseInt(header.slice(3, 5), 16) | 0x80);
    expect(readPayloadLength(target, 0)).toBe(payloadLength);
    expect(receivedHeaderByteLength(second)).toBe(headerByteLength(payloadLength) + 4);
  });

  it("a length of 2^53, which a number does not hold exactly, fails with 1009 whatever the limit is (F10)", () => {
    expect(() => readPayloadLength(bytes("82 7f 00 20 00 00 00 00 00 00"), 0)).toThrow(
      expect.objectContaining({ closeCode: 1009, limit: "maxMessageBytes" }),
    );
  });

  it("has no header longer than MAX_HEADER_BYTES", () => {
    const lengths = Array.from({ length: 256 }, (_, second) => receivedHeaderByteLength(second));
    expect(Math.max(...lengths)).toBe(MAX_HEADER_BYTES);
  });
});

describe("RFC 6455 §5.2, §5.4, §5.5 what the first two bytes may be", () => {
  /** Each first byte that passes, as two hexadecimal digits. */
  const accepted = (second: number, isServer: boolean, maySetRsv1: boolean, isInMessage: boolean): string =>
    Array.from({ length: 256 }, (_, first) => first)
      .filter((first) => {
        try {
          checkHeader(first, second, isServer, maySetRsv1, isInMessage);
          return true;
        } catch (error) {
          expect(error).toMatchObject({ name: "ProtocolError", closeCode: 1002 });
          return false;
        }
      })
      .map((first) => first.toString(16).padStart(2, "0"))
      .join(" ");

  it("outside a message: a first frame, or a whole control frame", () => {
    expect(accepted(0x05, false, false, false)).toBe("01 02 81 82 88 89 8a");
    expect(accepted(0x85, true, false, false)).toBe("01 02 81 82 88 89 8a");
  });

  it("inside a message: a continuation, or a whole control frame", () => {
    expect(accepted(0x05, false, false, true)).toBe("00 80 88 89 8a");
  });

  it("with permessage-deflate RSV1 on the first frame of a message too, nowhere else (RFC 7692 §6)", () => {
    expect(accepted(0x05, false, true, false)).toBe("01 02 41 42 81 82 88 89 8a c1 c2");
    expect(accepted(0x05, false, true, true)).toBe("00 80 88 89 8a");
  });

  it("no control frame of more than 125 bytes", () => {
    expect(accepted(0x7d, false, false, false)).toBe("01 02 81 82 88 89 8a");
    expect(accepted(0x7e, false, false, false)).toBe("01 02 81 82");
    expect(accepted(0x7f, false, false, false)).toBe("01 02 81 82");
  });

  it("a mask from a client always, from a server never (§5.1)", () => {
    expect(accepted(0x05, true, true, false)).toBe("");
    expect(accepted(0x85, false, true, false)).toBe("");
  });
});
