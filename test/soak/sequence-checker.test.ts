import { describe, expect, it } from "vitest";
import { byteLengthOf, MAX_MESSAGE_BYTES, type Message, MessageBook } from "./messages.ts";
import { SequenceChecker } from "./sequence-checker.ts";

const SEED = 7;
const book = new MessageBook(1);
const messages: Message[] = Array.from({ length: 400 }, (_, number) => book.create(SEED, number));

/** What a checker says about messages, those that are right left out. */
function check(received: readonly Message[]): (string | null)[] {
  const checker = new SequenceChecker(book, SEED);
  return received.map((message) => checker.receive(message)).filter((fault) => fault !== null);
}

/** The first number from `from` whose message is what is wanted. */
function find(from: number, isWanted: (message: Message) => boolean): number {
  return from + messages.slice(from).findIndex(isWanted);
}

const isBinary = (message: Message): boolean => typeof message !== "string" && message.length > 100;
const isText = (message: Message): boolean => typeof message === "string" && message.length > 100;

describe("MessageBook", () => {
  it("makes text and binary messages from nothing to exactly the limit", () => {
    const lengths = messages.map(byteLengthOf);
    expect(Math.min(...lengths)).toBe(0);
    const longest = Array.from({ length: 3_000 }, (_, number) => book.create(SEED, number)).filter(
      (message) => byteLengthOf(message) === MAX_MESSAGE_BYTES,
    );
    expect(new Set(longest.map((message) => typeof message))).toEqual(new Set(["string", "object"]));
    expect(messages.some((message) => message === "")).toBe(true);
    expect(messages.some((message) => typeof message !== "string" && message.length === 0)).toBe(true);
  });

  it("makes the same messages of the same seeds", () => {
    const again = new MessageBook(1);
    expect(again.create(SEED, 5)).toEqual(messages[5]);
    expect(new MessageBook(2).create(SEED, find(0, isBinary))).not.toEqual(messages[find(0, isBinary)]);
  });
});

describe("SequenceChecker", () => {
  it("finds nothing wrong with all messages in order", () => {
    expect(check(messages)).toEqual([]);
  });

  it("finds a message that is missing, once", () => {
    const lost = find(20, isBinary);
    expect(check(messages.filter((_, number) => number !== lost)).length).toBe(1);
    expect(check(messages.slice(0, find(lost + 1, isText) + 1).filter((_, number) => number !== lost))).toEqual([
      "gap",
    ]);
  });

  it("finds an empty message that is missing", () => {
    const lost = find(0, (message) => message.length === 0);
    const next = find(lost + 1, isText);
    expect(check([...messages.slice(0, lost), ...messages.slice(lost + 1, next + 1)])).toEqual(["gap"]);
  });

  it.each([
    ["binary", isBinary],
    ["text", isText],
    ["empty", (message: Message) => message.length === 0],
  ])("finds a %s message that came twice", (_, isWanted) => {
    const number = find(10, isWanted);
    const twice = [...messages.slice(0, number + 1), messages[number] as Message, ...messages.slice(number + 1)];
    expect(check(twice)).toEqual(["duplicate"]);
  });

  it("finds one changed byte", () => {
    const number = find(10, isBinary);
    const bytes = Uint8Array.from(messages[number] as Uint8Array);
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    expect(check([...messages.slice(0, number), bytes])).toEqual(["corrupt"]);
  });

  it("finds one changed character", () => {
    const number = find(10, isText);
    expect(check([...messages.slice(0, number), `${(messages[number] as string).slice(0, -1)}!`])).toEqual(["corrupt"]);
  });

  it("finds a text where bytes belong", () => {
    const number = find(10, isBinary);
    const text = Buffer.from(messages[number] as Uint8Array).toString("latin1");
    expect(check([...messages.slice(0, number), text])).toEqual(["corrupt"]);
  });

  it("finds an intact message of another session", () => {
    const checker = new SequenceChecker(book, SEED + 1);
    const faults = messages.map((message) => checker.receive(message)).filter((fault) => fault !== null);
    expect(faults.length).toBeGreaterThan(messages.length / 2);
  });

  it("knows the final message, and lets nothing follow", () => {
    const checker = new SequenceChecker(book, SEED);
    expect(checker.receive(messages[0] as Message)).toBe(null);
    expect(checker.hasFinal).toBe(false);
    expect(checker.receive(book.createFinal(1))).toBe(null);
    expect(checker).toMatchObject({ hasFinal: true, received: 2 });
    expect(checker.receive(messages[2] as Message)).toBe("after the final one");
  });

  it("finds a gap in front of the final message", () => {
    const checker = new SequenceChecker(book, SEED);
    checker.receive(messages[0] as Message);
    expect(checker.receive(book.createFinal(2))).toBe("gap");
  });
});
