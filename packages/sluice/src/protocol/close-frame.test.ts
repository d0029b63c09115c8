import { describe, expect, it } from "vitest";
import { closeReasonByteLength, decodeCloseBody, encodeCloseBody } from "./close-frame.ts";
import { bytes, createProtocol, hex, receiveInAllSplits, takeAll } from "./splits.test-support.ts";
import { standardUtf8Codec } from "./utf8.ts";

const encode = (closeCode: number | null, reason: string) => encodeCloseBody(closeCode, reason, standardUtf8Codec);
const receive = (frame: string) => receiveInAllSplits(bytes(frame), { role: "client" });

describe("RFC 6455 §5.5.1 Close", () => {
  it("has no body without a code", () => {
    expect(encode(null, "")).toEqual(new Uint8Array(0));
  });

  it("has the code in network byte order and then the reason in UTF-8", () => {
    expect(hex(encode(1000, ""))).toBe("03 e8");
    expect(hex(encode(4999, "aé€😀"))).toBe("13 87 61 c3 a9 e2 82 ac f0 9f 98 80");
  });

  it("takes a reason of 123 bytes, counted in UTF-8, and no longer one", () => {
    expect(encode(1000, "x".repeat(123))).toHaveLength(125);
    expect(encode(1000, "é".repeat(61))).toHaveLength(124);
    expect(() => encode(1000, "x".repeat(124))).toThrow(
      new RangeError("Cannot send Close as reason must be at most 123 bytes: current length is 124"),
    );
    expect(() => encode(1000, "é".repeat(62))).toThrow(RangeError);
  });

  it("closeReasonByteLength() counts bytes, a lone surrogate as the three of U+FFFD", () => {
    expect(["", "abc", "é", "€", "😀", "\ud800"].map(closeReasonByteLength)).toEqual([0, 3, 2, 3, 4, 3]);
  });

  it("decodes what it encodes", () => {
    expect(decodeCloseBody(encode(3000, "\ufeffbye"), standardUtf8Codec)).toEqual({
      closeCode: 3000,
      reason: "\ufeffbye",
    });
  });

  it.each([
    ["88 00", 1005, ""],
    ["88 02 03 e8", 1000, ""],
    ["88 05 0f a0 62 79 65", 4000, "bye"],
    ["88 05 03 f3 ef bb bf", 1011, "\ufeff"],
  ])("%s is received as %i %j", (frame, closeCode, reason) => {
    expect(receive(frame)).toEqual({ events: [["close", closeCode, reason]], error: null });
  });

  it("a body of one byte fails with 1002", () => {
    expect(receive("88 01 03")).toEqual({ events: [], error: [1002, "ERR_SLUICE_INVALID_CLOSE_BODY"] });
  });

  it.each([
    ["03 ed", "1005"],
    ["03 ee", "1006"],
    ["03 f7", "1015"],
    ["03 ec", "1004"],
    ["00 00", "0"],
    ["03 e7", "999"],
    ["03 f8", "1016"],
    ["0b b7", "2999"],
    ["13 88", "5000"],
    ["ff ff", "65535"],
  ])("code %s (%s) must not be on the wire and fails with 1002", (code) => {
    expect(receive(`88 02 ${code}`)).toEqual({ events: [], error: [1002, "ERR_SLUICE_INVALID_CLOSE_CODE"] });
  });

  it.each(["ff", "c3", "ed a0 80", "c0 af", "f4 90 80 80"])("a reason of the bytes %s fails with 1007", (reason) => {
    const length = (2 + bytes(reason).length).toString(16).padStart(2, "0");
    expect(receive(`88 ${length} 03 e8 ${reason}`)).toEqual({ events: [], error: [1007, "ERR_SLUICE_INVALID_UTF8"] });
  });

  it("what follows it is ignored, be it illegal (RFC 6455 §1.4)", () => {
    expect(receive("88 00 89 00 ff ff ff")).toEqual({ events: [["close", 1005, ""]], error: null });
  });

  it("ends a message that is unfinished, and frees it", () => {
    const protocol = createProtocol({ role: "client" });
    protocol.receive(bytes("02 03 01 02 03 88 00 80 00"));
    expect(protocol.next(true)).toBe(5);
    expect([protocol.isInMessage, protocol.assembledBytes, protocol.bufferedBytes]).toEqual([false, 0, 0]);
    protocol.receive(bytes("82 00"));
    expect([protocol.bufferedBytes, protocol.next(true)]).toEqual([0, 0]);
  });

  it("sendClose() writes one frame", () => {
    const protocol = createProtocol({ role: "server" });
    protocol.sendClose(null, "");
    protocol.sendClose(1000, "");
    protocol.sendClose(1001, "é");
    expect(hex(takeAll(protocol))).toBe("88 00 88 02 03 e8 88 04 03 e9 c3 a9");
  });
});
