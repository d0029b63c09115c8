import * as zlib from "node:zlib";

/** CRC-32 as of ISO 3309, of bytes: the platform's where it has one (Node 22.2), else a table's. */
export const crc32: (bytes: Uint8Array) => number =
  (zlib as { crc32?: (bytes: Uint8Array) => number }).crc32 ?? crc32ByTable;

/** Four tables, so that a step takes four bytes: the checks must not cost more than what they check. */
const TABLES: readonly Uint32Array[] = createTables();

/** The same without the platform. */
export function crc32ByTable(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = TABLES as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  const { byteLength } = bytes;
  let crc = 0xffffffff;
  let index = 0;
  for (; index + 4 <= byteLength; index += 4) {
    crc ^= at(bytes, index) | (at(bytes, index + 1) << 8) | (at(bytes, index + 2) << 16) | (at(bytes, index + 3) << 24);
    crc = at(t3, crc & 0xff) ^ at(t2, (crc >>> 8) & 0xff) ^ at(t1, (crc >>> 16) & 0xff) ^ at(t0, crc >>> 24);
  }
  for (; index < byteLength; index++) crc = (crc >>> 8) ^ at(t0, (crc ^ at(bytes, index)) & 0xff);
  return (crc ^ 0xffffffff) >>> 0;
}

function at(array: Uint8Array | Uint32Array, index: number): number {
  return array[index] as number;
}

function createTables(): Uint32Array[] {
  const tables = [0, 1, 2, 3].map(() => new Uint32Array(256));
  const first = tables[0] as Uint32Array;
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    first[byte] = crc;
  }
  for (let number = 1; number < 4; number++) {
    const previous = tables[number - 1] as Uint32Array;
    const table = tables[number] as Uint32Array;
    for (let byte = 0; byte < 256; byte++) {
      const crc = at(previous, byte);
      table[byte] = (crc >>> 8) ^ at(first, crc & 0xff);
    }
  }
  return tables;
}
