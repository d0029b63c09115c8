import type { Departure } from "./departure.ts";

/**
 * A checksum of a set of records that does not depend on their order: each record is hashed to 64 bits together with its
 * place in the sequence of its client, and the hashes are added up. A record that is lost, changed, doubled, or that took
 * the place of another changes the sum. Two of them can be added, so each side may sum in any grouping.
 *
 * It finds accidents. It is no proof against somebody who forges records on purpose.
 */
export class Checksum {
  #count = 0;
  #low = 0;
  #high = 0;

  /** How many records were added. */
  get count(): number {
    return this.#count;
  }

  /** @param sequence the record's place among those of its client, from 0 */
  add(sequence: number, departure: Departure): void {
    const { departedAtMs, delayMinutes, distanceMiles, origin, destination } = departure;
    const text = `${sequence},${departedAtMs},${delayMinutes},${distanceMiles},${origin},${destination}`;
    // Two lanes of 32 bits, as a number holds 53 bits exactly and BigInt is ten times slower. The multipliers are those of
    // MurmurHash3 and of xxHash32.
    let low = 0x9747b28c;
    let high = 0x165667b1;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      low = Math.imul(low ^ unit, 0xcc9e2d51);
      low = (low << 15) | (low >>> 17);
      high = Math.imul(high ^ unit, 0x9e3779b1);
      high = (high << 13) | (high >>> 19);
    }
    this.#count++;
    this.#low = (this.#low + finish(low)) >>> 0;
    this.#high = (this.#high + finish(high ^ low)) >>> 0;
  }

  /** Adds the records of another checksum. */
  addAll(other: Checksum): void {
    this.#count += other.#count;
    this.#low = (this.#low + other.#low) >>> 0;
    this.#high = (this.#high + other.#high) >>> 0;
  }

  /** 16 hexadecimal digits. */
  toString(): string {
    return this.#high.toString(16).padStart(8, "0") + this.#low.toString(16).padStart(8, "0");
  }

  /** The checksum with this text and count. @throws {TypeError} unless text is 16 hexadecimal digits */
  static parse(text: string, count: number): Checksum {
    if (!/^[0-9a-f]{16}$/.test(text)) throw new TypeError("checksum must be 16 hexadecimal digits");
    const checksum = new Checksum();
    checksum.#count = count;
    checksum.#high = Number.parseInt(text.slice(0, 8), 16);
    checksum.#low = Number.parseInt(text.slice(8), 16);
    return checksum;
  }
}

/** Spreads every bit over the whole word (the finalizer of MurmurHash3). */
function finish(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
