/**
 * Maps what the system accepted, which is counted in bytes of frames, back to payload bytes: the legacy `bufferedAmount`
 * counts payload only (spec-digest 4.3). One entry a frame that is not accepted yet, so it is as bounded as the output.
 */
export class UnsentPayload {
  readonly #ends: number[] = [];
  readonly #payloads: number[] = [];
  #first = 0;
  #releasedTotal = 0;

  /** Payload bytes of the frames that were accepted, since the start. */
  get releasedTotal(): number {
    return this.#releasedTotal;
  }

  /** @param end the position in the output at which the frame ends */
  add(end: number, payloadLength: number): void {
    this.#ends.push(end);
    this.#payloads.push(payloadLength);
  }

  /** Forgets the frames that end at or before `accepted`. */
  release(accepted: number): void {
    const ends = this.#ends;
    while (this.#first < ends.length && (ends[this.#first] as number) <= accepted) {
      this.#releasedTotal += this.#payloads[this.#first] as number;
      this.#first++;
    }
    // Shift the arrays seldom: moving the rest costs as much as what is forgotten.
    if (this.#first === ends.length || this.#first > 1024) {
      ends.splice(0, this.#first);
      this.#payloads.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
