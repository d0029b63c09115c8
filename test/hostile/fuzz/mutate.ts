/** Values at which something changes: lengths, opcodes, the beginnings of UTF-8 sequences and of DEFLATE blocks. */
const INTERESTING = [
  ...[0x00, 0x01, 0x02, 0x03, 0x07, 0x08, 0x09, 0x0a, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x88, 0x89, 0x8a],
  ...[0xc1, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xfd, 0xfe, 0xff, 0x20, 0x22, 0x2c, 0x3a, 0x3b, 0x3d, 0x5c],
];

/** A neighbour of an input. @param other another input, to take pieces of @param random numbers from 0 to 1 */
export function mutate(input: Uint8Array, other: Uint8Array, random: () => number): Uint8Array {
  let bytes = [...input];
  const below = (end: number): number => Math.floor(random() * end);
  for (let count = 1 + below(4); count > 0; count--) {
    const at = below(bytes.length + 1);
    const length = 1 + below(Math.min(64, bytes.length + 1));
    switch (below(9)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << below(8));
        break;
      case 1:
        bytes[at] = below(256);
        break;
      case 2:
        bytes[at] = INTERESTING[below(INTERESTING.length)] as number;
        break;
      case 3:
        bytes.splice(at, length);
        break;
      case 4:
        bytes.splice(
          at,
          0,
          ...Array.from({ length: 1 + below(8) }, () => INTERESTING[below(INTERESTING.length)] as number),
        );
        break;
      case 5:
        bytes.splice(at, 0, ...bytes.slice(at, at + length));
        break;
      case 6:
        bytes = bytes.slice(0, at);
        break;
      case 7: {
        const start = below(other.byteLength);
        bytes.splice(at, below(2) * length, ...other.subarray(start, start + 1 + below(64)));
        break;
      }
      default:
        if (at < bytes.length) bytes[at] = ((bytes[at] as number) + below(9) - 4) & 255;
    }
  }
  return Uint8Array.from(bytes.slice(0, MAX_BYTES));
}

/** Longer inputs are slower to try and find nothing else. */
const MAX_BYTES = 4_096;
