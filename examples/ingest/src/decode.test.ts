import { describe, expect, it } from "vitest";
import { DecodeStream } from "./decode.ts";
import { type Batch, encodeBatch } from "./wire.ts";

const departure = { departedAtMs: 0, delayMinutes: 1, distanceMiles: 2, origin: "ATL", destination: "SAV" };
const end = '{"end":true,"records":3,"checksum":"52f09d6e11b2c3a4"}';

function decode(messages: string[], decoder = new DecodeStream()): Promise<Batch[]> {
  return collect(toStream(messages).pipeThrough(decoder, { preventCancel: true }));
}

function toStream(messages: readonly string[]): ReadableStream<string> {
  const left = [...messages];
  return new ReadableStream({
    pull: (controller) => {
      const message = left.shift();
      if (message === undefined) controller.close();
      else controller.enqueue(message);
    },
  });
}

/** Array.fromAsync, which Node 20 does not have. */
async function collect<T>(stream: ReadableStream<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

describe("DecodeStream", () => {
  it("turns messages into batches, and ends at the client's last message", async () => {
    const decoder = new DecodeStream();
    const batches: Batch[] = [
      { first: 0, departures: [departure, departure] },
      { first: 2, departures: [departure] },
    ];
    expect(await decode([...batches.map(encodeBatch), end, "not looked at"], decoder)).toEqual(batches);
    expect(decoder.announced?.toString()).toBe("52f09d6e11b2c3a4");
  });

  it("leaves the connection it reads from open for the receipt", async () => {
    let isCancelled = false;
    const messages = new ReadableStream<string>({
      start: (controller) => controller.enqueue(end),
      cancel: () => {
        isCancelled = true;
      },
    });
    await messages.pipeThrough(new DecodeStream(), { preventCancel: true }).pipeTo(new WritableStream());
    expect(isCancelled).toBe(false);
  });

  it.each([0, 1, 3])("refuses a batch that does not follow on the one before (first: %i)", async (first) => {
    const messages = [
      { first: 0, departures: [departure, departure] },
      { first, departures: [departure] },
    ];
    await expect(decode(messages.map(encodeBatch))).rejects.toThrow(
      `must start with record 2: it starts with ${first}`,
    );
  });

  it("announces nothing when the client leaves without its last message", async () => {
    const decoder = new DecodeStream();
    await decode([encodeBatch({ first: 0, departures: [departure] })], decoder);
    expect(decoder.announced).toBeNull();
  });
});
