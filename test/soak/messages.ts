import { randomOf } from "../hostile/random.ts";
import { crc32 } from "./crc32.ts";

/**
 * The messages of a run. Which body a number has follows from the session's seed, so that both ends know what comes next,
 * also when it is empty. Bodies are made once and shared: sending costs a copy, checking costs a checksum.
 */

/** A message as the library gives and takes it. */
export type Message = string | Uint8Array;

/** Longest message in bytes, and what both ends set as their limit. */
export const MAX_MESSAGE_BYTES = 1_048_576;

/** What a message that is not empty says about itself. */
export interface MessageHeader {
  readonly number: number;
  /** Whether its sender sends nothing behind it. */
  readonly isFinal: boolean;
  readonly checksum: number;
  /** Whether the body fits the checksum. */
  readonly isIntact: boolean;
  readonly isText: boolean;
}

/** What is known about message `number` of a session before it comes. */
export interface ExpectedMessage {
  readonly isEmpty: boolean;
  readonly isText: boolean;
  readonly checksum: number;
}

const BINARY_HEADER_BYTES = 12;
const MAGIC = 0x50_4c;
/** Number, "F" or ".", checksum, each of a fixed width, so that the body's place is known. */
const TEXT_HEADER = /^(\d{9})([F.])([0-9a-f]{8})$/;
const TEXT_HEADER_LENGTH = 18;
/** Bodies of each type. */
const POOL_SIZE = 128;
const EMPTY_SHARE = 0.04;

interface Body {
  readonly data: Message;
  readonly checksum: number;
}

export class MessageBook {
  readonly #bodies: readonly Body[];

  /** @param seed of the run: every process makes the same bodies of it */
  constructor(seed: number) {
    const random = randomOf(seed);
    const bodies: Body[] = [];
    for (let index = 0; index < POOL_SIZE; index++) {
      const size = toBodyBytes((index + random()) / POOL_SIZE);
      bodies.push(toBody(createBytes(size, random)), toBody(createText(size, random)));
    }
    bodies.push(toBody(createBytes(MAX_MESSAGE_BYTES - BINARY_HEADER_BYTES, random)));
    bodies.push(toBody(createText(MAX_MESSAGE_BYTES - TEXT_HEADER_LENGTH, random)));
    this.#bodies = bodies;
  }

  /** What message `number` of a session will be, unless it is the final one. */
  expect(sessionSeed: number, number: number): ExpectedMessage {
    const body = this.#choose(sessionSeed, number);
    if (body === null) return { isEmpty: true, isText: (number & 1) === 0, checksum: 0 };
    return { isEmpty: false, isText: typeof body.data === "string", checksum: body.checksum };
  }

  create(sessionSeed: number, number: number): Message {
    const body = this.#choose(sessionSeed, number);
    if (body === null) return (number & 1) === 0 ? "" : new Uint8Array(0);
    return withHeader(body, number, false);
  }

  /** The last message of a direction: never empty, and small. */
  createFinal(number: number): Message {
    return withHeader(this.#bodies[0] as Body, number, true);
  }

  #choose(sessionSeed: number, number: number): Body | null {
    const random = randomOf((sessionSeed ^ Math.imul(number + 1, 0x9e3779b1)) | 0);
    if (random() < EMPTY_SHARE) return null;
    return this.#bodies[Math.floor(random() * this.#bodies.length)] as Body;
  }
}

/** Takes a message that is not empty apart. @returns null if it is none of ours */
export function readHeader(message: Message): MessageHeader | null {
  if (typeof message === "string") {
    const [, number, final, checksum] = TEXT_HEADER.exec(message.slice(0, TEXT_HEADER_LENGTH)) ?? [];
    if (number === undefined || checksum === undefined) return null;
    const expected = Number.parseInt(checksum, 16);
    const isIntact = crc32(Buffer.from(message.slice(TEXT_HEADER_LENGTH))) === expected;
    return { number: Number(number), isFinal: final === "F", checksum: expected, isIntact, isText: true };
  }
  if (message.byteLength < BINARY_HEADER_BYTES) return null;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (view.getUint16(0) !== MAGIC) return null;
  const checksum = view.getUint32(8);
  const isIntact = crc32(message.subarray(BINARY_HEADER_BYTES)) === checksum;
  return { number: view.getUint32(4), isFinal: view.getUint16(2) === 1, checksum, isIntact, isText: false };
}

/** Its length on the wire. */
export function byteLengthOf(message: Message): number {
  return typeof message === "string" ? Buffer.byteLength(message) : message.byteLength;
}

function withHeader(body: Body, number: number, isFinal: boolean): Message {
  const { data, checksum } = body;
  if (typeof data === "string") {
    const prefix = String(number).padStart(9, "0") + (isFinal ? "F" : ".") + checksum.toString(16).padStart(8, "0");
    return prefix + data;
  }
  const bytes = new Uint8Array(BINARY_HEADER_BYTES + data.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, MAGIC);
  view.setUint16(2, isFinal ? 1 : 0);
  view.setUint32(4, number);
  view.setUint32(8, checksum);
  bytes.set(data, BINARY_HEADER_BYTES);
  return bytes;
}

function toBody(data: Message): Body {
  return { data, checksum: crc32(typeof data === "string" ? Buffer.from(data) : data) };
}

/** Seven in ten up to 1 KiB, most of the rest up to 64 KiB, a few up to 256 KiB. @param quantile 0 to 1 */
function toBodyBytes(quantile: number): number {
  if (quantile < 0.7) return Math.floor(2 ** (10 * (quantile / 0.7)));
  if (quantile < 0.97) return Math.floor(2 ** (10 + 6 * ((quantile - 0.7) / 0.27)));
  return Math.floor(2 ** (16 + 2 * ((quantile - 0.97) / 0.03)));
}

function createBytes(byteLength: number, random: () => number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  for (let index = 0; index < byteLength; index++) bytes[index] = random() * 256;
  return bytes;
}

/** Of one to four bytes a character. */
const WORDS = ["Wehr ", "écluse ", "水門 ", "🌊 ", "sluice ", "Größe ", "0123456789 "];

function createText(byteLength: number, random: () => number): string {
  const parts: string[] = [];
  let length = 0;
  while (length < byteLength) {
    const word = WORDS[Math.floor(random() * WORDS.length)] as string;
    const wordLength = Buffer.byteLength(word);
    const part = length + wordLength <= byteLength ? word : ".".repeat(byteLength - length);
    parts.push(part);
    length += Buffer.byteLength(part);
  }
  return parts.join("");
}
