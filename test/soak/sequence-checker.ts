import type { FaultCategory } from "./fault.ts";
import { type Message, type MessageBook, readHeader } from "./messages.ts";

/** What can be wrong with a message. */
export type SequenceFault = Extract<FaultCategory, "gap" | "duplicate" | "corrupt" | "after the final one">;

/** Compares what arrives on one direction of a session with what must come. */
export class SequenceChecker {
  readonly #book: MessageBook;
  readonly #seed: number;
  #next = 0;
  #hasFinal = false;

  constructor(book: MessageBook, sessionSeed: number) {
    this.#book = book;
    this.#seed = sessionSeed;
  }

  /** Messages that arrived in order. */
  get received(): number {
    return this.#next;
  }

  /** Whether the sender's last message is here. */
  get hasFinal(): boolean {
    return this.#hasFinal;
  }

  /** Takes the next message. @returns what is wrong with it; null if it is the one */
  receive(message: Message): SequenceFault | null {
    if (this.#hasFinal) return "after the final one";
    const number = this.#next;
    const expected = this.#book.expect(this.#seed, number);
    if (message.length === 0) {
      if (!expected.isEmpty) return "duplicate"; // or the one that stands for a later number: both are no successor
      if (expected.isText !== (typeof message === "string")) return "corrupt";
      this.#next++;
      return null;
    }
    const header = readHeader(message);
    if (header === null || !header.isIntact) return "corrupt";
    if (header.number >= number) this.#hasFinal = header.isFinal;
    if (header.number > number) {
      this.#next = header.number + 1; // so that one loss is told once
      return "gap";
    }
    if (header.number < number) return "duplicate";
    this.#next++;
    if (header.isFinal) return null;
    const isExpected = !expected.isEmpty && header.isText === expected.isText && header.checksum === expected.checksum;
    return isExpected ? null : "corrupt";
  }
}
