import { headerByteLength, writeHeader } from "./frame-header.ts";
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
      for (let i = 0; i < length; i++) block[payloadOffset + i] = payload[start + i] as number;
    } else {
      block.set(start === 0 && end === payload.byteLength ? payload : payload.subarray(start, end), payloadOffset);
    }
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

  #finish(block: Uint8Array, offset: number, first: number, length: number, headerLength: number): void {
    const keys = this.#keys;
    writeHeader(block, offset, first, keys === null ? 0 : 0x80, length);
    const payloadOffset = offset + headerLength;
    if (keys !== null) {
      const key = keys.next();
      block[payloadOffset - 4] = key & 0xff;
      block[payloadOffset - 3] = (key >>> 8) & 0xff;
      block[payloadOffset - 2] = (key >>> 16) & 0xff;
      block[payloadOffset - 1] = key >>> 24;
      if (length > 0) applyMask(block, this.#blocks.wordsOf(block), payloadOffset, payloadOffset + length, key, 0);
    }
    this.#blocks.commit(headerLength + length);
  }
}

/** Below this a loop is faster than `set` with a view. */
const SHORT_COPY_BYTES = 32;
