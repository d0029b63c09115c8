import { describe, expect, it } from "vitest";
import { Checksum } from "./checksum.ts";
import type { Departure } from "./departure.ts";
import {
  decodeClientMessage,
  decodeReceipt,
  encodeBatch,
  encodeEnd,
  encodeReceipt,
  MAX_BATCH_RECORDS,
  MAX_MESSAGE_BYTES,
} from "./wire.ts";

const departure: Departure = {
  departedAtMs: Date.UTC(2001, 0, 1, 0, 5),
  delayMinutes: -14,
  distanceMiles: 215,
  origin: "ATL",
  destination: "SAV",
};
const text = '{"first":40,"departures":[{"at":"2001-01-01T00:05","delay":-14,"miles":215,"from":"ATL","to":"SAV"}]}';

describe("The subprotocol departures.v1", () => {
  it("writes a batch as documented, and reads it again", () => {
    expect(encodeBatch({ first: 40, departures: [departure] })).toBe(text);
    expect(decodeClientMessage(text)).toEqual({ first: 40, departures: [departure] });
  });

  it("writes the client's last message and the receipt, and reads them again", () => {
    const checksum = Checksum.parse("52f09d6e11b2c3a4", 31_250);
    expect(encodeEnd(checksum)).toBe('{"end":true,"records":31250,"checksum":"52f09d6e11b2c3a4"}');
    expect(encodeReceipt(checksum)).toBe('{"receipt":true,"records":31250,"checksum":"52f09d6e11b2c3a4"}');
    expect(decodeClientMessage(encodeEnd(checksum))).toEqual(checksum);
    expect(decodeReceipt(encodeReceipt(checksum))).toEqual(checksum);
    expect(() => decodeReceipt(encodeEnd(checksum))).toThrow("must be a receipt");
  });

  it("keeps the largest batch within the message limit", () => {
    const longest = { ...departure, delayMinutes: -1440, distanceMiles: 12_500 };
    const message = encodeBatch({ first: 2_999_500, departures: Array(MAX_BATCH_RECORDS).fill(longest) });
    expect(message.length).toBeLessThan(MAX_MESSAGE_BYTES);
  });

  it.each([
    ["binary", new Uint8Array([1])],
    ["must be JSON", "{"],
    ["JSON object", "null"],
    ['"first"', '{"departures":[]}'],
    ['"first"', '{"first":-1,"departures":[]}'],
    ['"departures"', '{"first":0}'],
    ['"departures"', '{"first":0,"departures":[]}'],
    ["must be an object", '{"first":0,"departures":[7]}'],
    ['"at"', text.replace("2001-01-01T00:05", "yesterday")],
    ['"at"', text.replace("2001-01-01", "2001-13-01")],
    ['"delay"', text.replace("-14", "1.5")],
    ['"delay"', text.replace("-14", '"-14"')],
    ['"miles"', text.replace("215", "0")],
    ['"from"', text.replace("ATL", "Atlanta")],
    ['"to"', text.replace("SAV", "'; DROP TABLE departures; --")],
    ['"records"', '{"end":true,"records":-1,"checksum":"52f09d6e11b2c3a4"}'],
    ['"checksum"', '{"end":true,"records":1}'],
  ])("refuses a message, naming what is wrong: %s (%#)", (complaint, message) => {
    const expected = complaint === "binary" ? "must be text" : complaint;
    expect(() => decodeClientMessage(message)).toThrow(expected);
  });
});
