// The subprotocol that the two sides speak. Text messages, one JSON object each:
//
//   client  {"first":40,"departures":[{"at":"2001-01-01T00:05","delay":14,"miles":215,"from":"ATL","to":"SAV"}, …]}
//   client  {"end":true,"records":31250,"checksum":"52f09d6e11b2c3a4"}       nothing follows
//   server  {"receipt":true,"records":31250,"checksum":"52f09d6e11b2c3a4"}   all of it is committed, this was read back
//
// A device collects a few records before it sends, since a message for each would cost more in frames than in data, and
// waits for the receipt before it forgets them: that a message was sent says nothing about what became of it.
import { Checksum } from "./checksum.ts";
import { type Departure, fromWire, toWire } from "./departure.ts";

/** Name of the subprotocol, as in Sec-WebSocket-Protocol. */
export const SUBPROTOCOL = "departures.v1";

/** The path that the server serves. */
export const PATH = "/departures";

/** Largest message that the server takes, in bytes. The largest batch allowed stays below it. */
export const MAX_MESSAGE_BYTES: number = 64 * 1024;

/** Most records in one message: at 80 bytes each well within MAX_MESSAGE_BYTES. */
export const MAX_BATCH_RECORDS = 500;

/** The server closes with this code when a message is not what the subprotocol says. */
export const INVALID_MESSAGE_CLOSE_CODE = 4400;

/** Records that follow each other. */
export interface Batch {
  /** Place of the first record in the sequence of its client, from 0. */
  readonly first: number;
  readonly departures: readonly Departure[];
}

/** A batch as a message. */
export function encodeBatch(batch: Batch): string {
  return JSON.stringify({ first: batch.first, departures: batch.departures.map(toWire) });
}

/** The client's last message. */
export function encodeEnd(sent: Checksum): string {
  return JSON.stringify({ end: true, records: sent.count, checksum: sent.toString() });
}

/** The server's answer to it. */
export function encodeReceipt(stored: Checksum): string {
  return JSON.stringify({ receipt: true, records: stored.count, checksum: stored.toString() });
}

/**
 * Reads a client's message.
 *
 * @returns a batch, or the checksum of all that the client sent if this is its last message
 * @throws {TypeError} saying what is wrong with it
 */
export function decodeClientMessage(message: string | Uint8Array): Batch | Checksum {
  const value = parseObject(message);
  if (value.end === true) return decodeChecksum(value);
  const { first, departures } = value;
  if (!isCount(first)) throw new TypeError('field "first" must be a count');
  if (!Array.isArray(departures) || departures.length === 0 || departures.length > MAX_BATCH_RECORDS) {
    throw new TypeError(`field "departures" must be a list of 1 to ${MAX_BATCH_RECORDS}`);
  }
  return { first, departures: departures.map(fromWire) };
}

/** Reads the receipt. @throws {TypeError} if it is none */
export function decodeReceipt(message: string | Uint8Array): Checksum {
  const value = parseObject(message);
  if (value.receipt !== true) throw new TypeError("message must be a receipt");
  return decodeChecksum(value);
}

function decodeChecksum(value: Record<string, unknown>): Checksum {
  const { records, checksum } = value;
  if (!isCount(records)) throw new TypeError('field "records" must be a count');
  if (typeof checksum !== "string") throw new TypeError('field "checksum" must be text');
  return Checksum.parse(checksum, records);
}

function parseObject(message: string | Uint8Array): Record<string, unknown> {
  if (typeof message !== "string") throw new TypeError("message must be text");
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    throw new TypeError("message must be JSON");
  }
  if (typeof value !== "object" || value === null) throw new TypeError("message must be a JSON object");
  return value as Record<string, unknown>;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
