/** How a message is handed to `send()` or `write()`. */
export type Kind = "text" | "buffer" | "view" | "blob";

/**
 * What a message of the model holds: its number in front, so that loss and order are seen on the wire and at the other end,
 * and behind it bytes or characters that no other place of any message near it has, so that damage is seen.
 */
export class Content {
  readonly id: number;
  readonly kind: Kind;
  readonly #length: number;

  constructor(id: number, kind: Kind, length: number) {
    this.id = id;
    this.kind = kind;
    this.#length = length;
  }

  get text(): string {
    const start = this.id % 97;
    return `${this.id}:${TEXT.slice(start, start + (this.#length >> 1))}`;
  }

  /** A fresh copy, so that whoever gets it may change it. */
  get bytes(): Uint8Array<ArrayBuffer> {
    const start = this.id % 97;
    const bytes = BYTES.slice(start, start + 4 + this.#length);
    new DataView(bytes.buffer).setUint32(0, this.id);
    return bytes;
  }

  get byteLength(): number {
    return this.kind === "text" ? Buffer.byteLength(this.text) : 4 + this.#length;
  }

  equals(received: string | Uint8Array): boolean {
    if (this.kind === "text") return received === this.text;
    return typeof received !== "string" && Buffer.compare(received, this.bytes) === 0;
  }
}

/** Makes the next message of a sequence. @param contents all of them, by number */
export function addContent(contents: Map<number, Content>, kind: Kind, length: number): Content {
  const content = new Content(contents.size + 1, kind, length);
  contents.set(content.id, content);
  return content;
}

/** @returns the number in front of a message; NaN if there is none */
export function readId(received: string | Uint8Array): number {
  if (typeof received === "string") return Number.parseInt(received, 10);
  if (received.byteLength < 4) return Number.NaN;
  return new DataView(received.buffer, received.byteOffset).getUint32(0);
}

const POOL_LENGTH = 262_144;
const BYTES = new Uint8Array(POOL_LENGTH);
for (let i = 0, state = 1; i < POOL_LENGTH; i++) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  BYTES[i] = state >>> 24;
}
/** One and two bytes a character in UTF-8; never a digit or a colon. */
const TEXT = Array.from(BYTES.subarray(0, 131_072 + 97), (byte) => String.fromCharCode(0x61 + byte)).join("");
