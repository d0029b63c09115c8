/*
 * What is sent. Both processes make the same payloads from the same description, so that a receiver can compare what came
 * with what must have been sent, without a second channel.
 */

/** A WebSocket message. */
export type Message = string | Uint8Array;

/** What the content is: random bytes; letters; text with characters of one to four bytes; a list of records. */
export type PayloadKind = "binary" | "ascii" | "multibyte" | "json";

/** Describes a cycle of payloads. */
export interface PayloadSpec {
  readonly kind: PayloadKind;
  /** Bytes of each, in UTF-8 if it is text. */
  readonly bytes: number;
}

/** Payloads that are compressed fill a multiple of zlib's window of 32 KiB, so that none is still in it when its turn comes again. */
const COMPRESSED_BYTES = 131_072;

/** The payloads of a description: several of them, so that nothing gains by having seen the last one. */
export function createPayloads(spec: PayloadSpec): Message[] {
  const count = spec.kind === "json" ? COMPRESSED_BYTES / spec.bytes : spec.bytes <= 16_384 ? 16 : 4;
  const random = createRandom(0x5eed ^ spec.bytes);
  return Array.from({ length: Math.ceil(count) }, () => create[spec.kind](spec.bytes, random));
}

const create: Record<PayloadKind, (bytes: number, random: () => number) => Message> = {
  binary: (bytes, random) => Uint8Array.from({ length: bytes }, () => random() & 0xff),
  ascii: (bytes, random) => flat(Array.from({ length: bytes }, () => 0x61 + (random() % 26))),
  multibyte: createMultibyte,
  json: createJson,
};

/** One to four bytes a character, as names and messages of many languages have; filled up with letters. */
function createMultibyte(bytes: number, random: () => number): string {
  const encoder = new TextEncoder();
  const characters = ["a", "e", "n", " ", "é", "ß", "я", "ж", "漢", "字", "€", "🌊"];
  let text = "";
  let used = 0;
  while (used < bytes) {
    const character = characters[random() % characters.length];
    const length = encoder.encode(character).byteLength;
    if (used + length > bytes) {
      text += "a".repeat(bytes - used);
      break;
    }
    text += character;
    used += length;
  }
  return new TextDecoder().decode(encoder.encode(text));
}

/** Readings of devices, as an ingestion pipeline sends them: compressible, but not a repetition. */
function createJson(bytes: number, random: () => number): string {
  const record = (): string =>
    JSON.stringify({
      device: `sensor-${random() % 500}`,
      at: 1_700_000_000_000 + (random() % 1e9),
      celsius: (random() % 4000) / 100,
      humidity: (random() % 1000) / 1000,
      status: ["ok", "ok", "ok", "low battery"][random() % 4],
    });
  let text = `[${record()}`;
  while (text.length < bytes) text += `,${record()}`;
  return flat(Array.from(text.slice(0, bytes - 1), (character) => character.charCodeAt(0)).concat(0x5d));
}

/** A string in one piece: not a rope that the first send would have to flatten. */
function flat(codes: number[]): string {
  return new TextDecoder().decode(Uint8Array.from(codes));
}

/** A small linear congruential generator: the same sequence in every runtime. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}
