/**
 * A queuing strategy that counts bytes of text and binary messages alike: a string counts as its UTF-8 length.
 * `ByteLengthQueuingStrategy` of the platform cannot: it measures a string as NaN and breaks the stream.
 *
 * As a `readableStrategy` each message counts 256 bytes more, which is what it takes in memory: else a peer could fill the memory
 * with empty ones.
 *
 * @example
 * ```ts
 * import { MessageByteLengthStrategy } from "sluice";
 *
 * const strategy = new MessageByteLengthStrategy({ highWaterMark: 1_048_576 });
 * console.log(strategy.size("é")); // 2
 * ```
 */
export class MessageByteLengthStrategy implements QueuingStrategy<string | BufferSource> {
  /** Bytes that may be queued before demand ends; a message that was admitted below the mark may overshoot it. */
  readonly highWaterMark: number;

  /** @param init `highWaterMark` in bytes, 0 or more; no default, as with the platform's strategies */
  constructor(init: { highWaterMark: number }) {
    this.highWaterMark = Number(init.highWaterMark);
  }

  /** The message's payload in bytes. */
  size(chunk: string | BufferSource): number {
    return typeof chunk === "string" ? utf8ByteLength(chunk) : chunk.byteLength;
  }
}

/** Length of a string in UTF-8, lone surrogates counted as U+FFFD (3 bytes), without making the bytes. */
export function utf8ByteLength(text: string): number {
  let byteLength = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) byteLength += 1;
    else if (unit >= 0xd800 && unit <= 0xdbff && isLowSurrogate(text.charCodeAt(i + 1))) {
      byteLength += 2; // a pair: two units, four bytes
      i++;
    } else byteLength += 2;
  }
  return byteLength;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
