import { headerByteLength, writeHeader } from "./frame-header.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { applyMask, type MaskingKeys } from "./mask.ts";
import { Opcode } from "./opcode.ts";
import type { OutputBlocks } from "./output-blocks.ts";
import type { Utf8Codec } from "./utf8.ts";

/**
 * Encodes frames into output blocks (RFC 6455 §5.2): header, payload and masking in their final place, the length in its
 * shortest form. With masking keys it is a client's writer: every frame gets a fresh key, empty ones too (F06).
 */
export class FrameWriter {
  readonly #blocks: OutputBlocks;
  readonly #keys: MaskingKeys | null;

  constructor(blocks: OutputBlocks, keys: MaskingKeys | null) {
    this.#blocks = blocks;
    this.#keys = keys;
  }

  /** One frame with the payload `payload[start, end)`, which is copied. */
  writeFrame(
    opcode: Opcode,
    isFin: boolean,
    isCompressed: boolean,
    payload: Uint8Array,
    start: number,
    end: number,
  ): void {
    const length = end - start;
    const headerLength = headerByteLength(length) + (this.#keys === null ? 0 : 4);
    const block = this.#blocks.reserve(headerLength + length);
    const { offset } = this.#blocks;
    const first = (isFin ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode;
    const payloadOffset = offset + headerLength;
    if (length <= SHORT_COPY_BYTES) {
      const key = this.#writeHeader(block, offset, first, length, payloadOffset);
      copyMasked(block, payloadOffset, payload, start, end, key);
      this.#blocks.commit(headerLength + length);
      return;
    }
    block.set(start === 0 && end === payload.byteLength ? payload : payload.subarray(start, end), payloadOffset);
    this.#finish(block, offset, first, length, headerLength);
  }

  /**
   * A text message in one frame, encoded straight into the block.
   *
   * @param text short enough that 3 bytes a unit fit into a block
   * @returns the payload's length in bytes
   */
  writeShortText(text: string, utf8: Utf8Codec): number {
    const maskLength = this.#keys === null ? 0 : 4;
    const most = text.length * 3;
    // The header's room is a guess from what is certain: from ASCII upwards.
    const guess = headerByteLength(text.length) + maskLength;
    const block = this.#blocks.reserve(headerByteLength(most) + maskLength + most);
    const { offset } = this.#blocks;
    const length = utf8.write(block, offset + guess, text);
    const headerLength = headerByteLength(length) + maskLength;
    if (headerLength !== guess) block.copyWithin(offset + headerLength, offset + guess, offset + guess + length);
    this.#finish(block, offset, 0x80 | Opcode.TEXT, length, headerLength);
    return length;
  }

  /**
   * One frame of a text message with what fits of `text` from the code unit `start` on, encoded straight into the block: no
   * memory for all of it, and one pass over it. 1 MiB of text takes half the time.
   *
   * @returns code units that are in the frame, and bytes; the frame is the message's last if the text ends there
   */
  writeTextPart(opcode: Opcode, text: string, start: number, utf8: Utf8Codec): { read: number; written: number } {
    const part = text.slice(start, endOfPart(text, start, DEFAULT_LIMITS.maxFrameBytes));
    const most = Math.min(part.length * 3, DEFAULT_LIMITS.maxFrameBytes);
    const maskLength = this.#keys === null ? 0 : 4;
    const guess = headerByteLength(part.length) + maskLength;
    const block = this.#blocks.reserve(headerByteLength(most) + maskLength + most);
    const { offset } = this.#blocks;
    const result = utf8.writePart(block, offset + guess, offset + guess + most, part);
    const { read, written } = result;
    const headerLength = headerByteLength(written) + maskLength;
    if (headerLength !== guess) block.copyWithin(offset + headerLength, offset + guess, offset + guess + written);
    const first = (start + read === text.length ? 0x80 : 0) | opcode;
    this.#finish(block, offset, first, written, headerLength);
    return result;
  }

  #finish(block: Uint8Array, offset: number, first: number, length: number, headerLength: number): void {
    const payloadOffset = offset + headerLength;
    const key = this.#writeHeader(block, offset, first, length, payloadOffset);
    if (this.#keys !== null && length > 0) {
      applyMask(block, this.#blocks.wordsOf(block), payloadOffset, payloadOffset + length, key, 0);
    }
    this.#blocks.commit(headerLength + length);
  }

  /** @returns the masking key, 0 if nothing is masked */
  #writeHeader(block: Uint8Array, offset: number, first: number, length: number, payloadOffset: number): number {
    const keys = this.#keys;
    writeHeader(block, offset, first, keys === null ? 0 : 0x80, length);
    if (keys === null) return 0;
    const key = keys.next();
    block[payloadOffset - 4] = key & 0xff;
    block[payloadOffset - 3] = (key >>> 8) & 0xff;
    block[payloadOffset - 2] = (key >>> 16) & 0xff;
    block[payloadOffset - 1] = key >>> 24;
    return key;
  }
}

/** Where a part of at most `length` code units ends that does not cut a surrogate pair. */
function endOfPart(text: string, start: number, length: number): number {
  const end = start + length;
  if (end >= text.length) return text.length;
  return (text.charCodeAt(end - 1) & 0xfc00) === 0xd800 ? end - 1 : end;
}

/** Copying and masking a short payload in one go: 70 to 48 ns for a frame of 32 bytes. */
function copyMasked(
  block: Uint8Array,
  offset: number,
  payload: Uint8Array,
  start: number,
  end: number,
  key: number,
): void {
  const key1 = (key >>> 8) & 0xff;
  const key2 = (key >>> 16) & 0xff;
  const key3 = key >>> 24;
  let to = offset;
  let i = start;
  for (; i + 4 <= end; i += 4, to += 4) {
    // Stored as a byte: what is above the lowest eight bits is dropped.
    block[to] = (payload[i] as number) ^ key;
    block[to + 1] = (payload[i + 1] as number) ^ key1;
    block[to + 2] = (payload[i + 2] as number) ^ key2;
    block[to + 3] = (payload[i + 3] as number) ^ key3;
  }
  for (let rest = key; i < end; i++, to++, rest >>>= 8) block[to] = (payload[i] as number) ^ rest;
}

/** Below this a loop is faster than `set` with a view. */
const SHORT_COPY_BYTES = 32;
