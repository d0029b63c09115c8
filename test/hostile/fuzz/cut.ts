import { randomOf } from "../random.ts";

/** Ways of cutting the same bytes: whole, one by one, and some at random that follow from the bytes themselves. */
export function cutsOf(bytes: Uint8Array): readonly (readonly [name: string, chunks: readonly Uint8Array[]])[] {
  const cuts: [string, Uint8Array[]][] = [
    ["whole", [bytes]],
    ["one by one", Array.from(bytes, (byte) => Uint8Array.of(byte))],
  ];
  const start = bytes.reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 7);
  for (let seed = start; seed < start + 3; seed++) {
    const random = randomOf(seed);
    const chunks: Uint8Array[] = [];
    for (let offset = 0; offset < bytes.byteLength; ) {
      const length = Math.floor(random() * random() * 40);
      chunks.push(bytes.subarray(offset, offset + length));
      offset += length;
    }
    cuts.push([`at random, seed ${seed}`, chunks]);
  }
  return cuts;
}
