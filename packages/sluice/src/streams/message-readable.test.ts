import * as stream from "node:stream";

import { describe, expect, it } from "vitest";
import { MessageSource, type ReadableMessage } from "./message-source.ts";

/** A source that delivers what it is given as soon as there is demand, like the engine. */
class Feed {
  readonly source: MessageSource;
  readonly #waiting: string[] = [];
  cancelledWith: unknown[] = [];
  #hasEnded = false;
  #isFeeding = false;

  constructor(strategy?: QueuingStrategy<ReadableMessage>) {
    this.source = new MessageSource(strategy, {
      onDemand: () => this.#feed(),
      onCancel: (reason) => this.cancelledWith.push(reason),
      onSourceError: () => {},
    });
  }

  get readable(): ReadableStream<ReadableMessage> {
    return this.source.readable;
  }

  send(...messages: string[]): this {
    this.#waiting.push(...messages);
    this.#feed();
    return this;
  }

  end(): this {
    this.#hasEnded = true;
    this.#feed();
    return this;
  }

  #feed(): void {
    if (this.#isFeeding) return;
    this.#isFeeding = true;
    while (this.source.hasDemand && this.#waiting.length > 0) {
      const message = this.#waiting.shift() as string;
      this.source.push(message, message.length);
    }
    this.#isFeeding = false;
    if (this.#hasEnded && this.#waiting.length === 0) this.source.end();
  }
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `m${i}`);
}

async function collect(stream: AsyncIterable<ReadableMessage>): Promise<ReadableMessage[]> {
  const messages: ReadableMessage[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}

describe("the readable is a platform ReadableStream", () => {
  it("has the platform's classes and brands", () => {
    const { readable } = new Feed();
    expect(readable).toBeInstanceOf(ReadableStream);
    expect(readable.constructor).toBe(ReadableStream);
    expect(Object.prototype.toString.call(readable)).toBe("[object ReadableStream]");
    const reader = readable.getReader();
    expect(reader).toBeInstanceOf(ReadableStreamDefaultReader);
    expect(readable.locked).toBe(true);
    expect(() => readable.getReader()).toThrow(TypeError);
    expect(() => readable.tee()).toThrow(TypeError);
  });

  it("refuses a BYOB reader, as every stream that is no byte stream", () => {
    expect(() => new Feed().readable.getReader({ mode: "byob" } as never)).toThrow(TypeError);
  });

  it("has one function as values() and async iterator", () => {
    const { readable } = new Feed();
    expect(readable[Symbol.asyncIterator]).toBe(readable.values);
  });
});

describe.each([
  ["by default", undefined],
  ["highWaterMark 0", { highWaterMark: 0 }],
  ["highWaterMark 5", { highWaterMark: 5 }],
  ["3 bytes", { highWaterMark: 3, size: (message?: ReadableMessage) => message?.length ?? 0 }],
] as const)("reading with the strategy %s", (_, strategy) => {
  it("read() gives all messages in order, then done", async () => {
    const feed = new Feed(strategy).send(...numbered(10)).end();
    const reader = feed.readable.getReader();
    for (const message of numbered(10)) expect(await reader.read()).toEqual({ value: message, done: false });
    expect(await reader.read()).toEqual({ value: undefined, done: true });
    await reader.closed;
  });

  it("reads asked for ahead of the messages are answered in order", async () => {
    const feed = new Feed(strategy);
    const reader = feed.readable.getReader();
    const reads = Array.from({ length: 6 }, () => reader.read());
    feed.send("m0", "m1", "m2");
    reads.push(reader.read());
    await Promise.resolve();
    feed.send("m3", "m4", "m5", "m6").end();
    const results = await Promise.all(reads);
    expect(results.map((result) => result.value)).toEqual(numbered(7));
    expect((await reader.read()).done).toBe(true);
  });

  it.each(numbered(20))("reads and messages in any order stay in order (seed %s)", async (seed) => {
    let state = 1 + Number(seed.slice(1)) * 7919;
    const random = (limit: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % limit;
    };
    const feed = new Feed(strategy);
    const reader = feed.readable.getReader();
    const order: unknown[] = [];
    const reads: Promise<unknown>[] = [];
    let sent = 0;
    while (sent < 50 || reads.length < 50) {
      const action = random(4);
      if (action === 0 && sent < 50) feed.send(`m${sent++}`);
      else if (action === 1 && reads.length < 50) reads.push(reader.read().then(({ value }) => order.push(value)));
      else if (action === 2) await Promise.resolve();
      else if (random(5) === 0) await new Promise(setImmediate);
    }
    await Promise.all(reads);
    expect(order).toEqual(numbered(50));
  });

  it("for await reads to the end and unlocks", async () => {
    const feed = new Feed(strategy).send(...numbered(10)).end();
    expect(await collect(feed.readable)).toEqual(numbered(10));
    expect(feed.readable.locked).toBe(false);
  });

  it("leaving a for await cancels", async () => {
    const feed = new Feed(strategy).send(...numbered(10));
    const seen: unknown[] = [];
    for await (const message of feed.readable) {
      seen.push(message);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual(numbered(3));
    expect(feed.cancelledWith).toEqual([undefined]);
    expect(feed.readable.locked).toBe(false);
  });

  it("values({ preventCancel: true }) leaves the rest", async () => {
    const feed = new Feed(strategy).send(...numbered(10)).end();
    for await (const _message of feed.readable.values({ preventCancel: true })) break;
    expect(await collect(feed.readable)).toEqual(numbered(10).slice(1));
    expect(feed.cancelledWith).toEqual([]);
  });

  it("next() calls in flight are answered in order, then done", async () => {
    const feed = new Feed(strategy);
    const iterator = feed.readable.values();
    const steps = [iterator.next(), iterator.next(), iterator.next(), iterator.next()];
    feed.send("m0", "m1").end();
    const results = await Promise.all(steps);
    expect(results.map((result) => result.value)).toEqual(["m0", "m1", undefined, undefined]);
    expect(results.map((result) => result.done)).toEqual([false, false, true, true]);
  });

  it("releaseLock() rejects reads that wait, and the next reader gets their messages", async () => {
    const feed = new Feed(strategy);
    const first = feed.readable.getReader();
    const waiting = first.read();
    first.releaseLock();
    await expect(waiting).rejects.toThrow(TypeError);
    feed.send("m0", "m1", "m2").end();
    const second = feed.readable.getReader();
    expect((await second.read()).value).toBe("m0");
    await expect(first.read()).rejects.toThrow(TypeError);
    expect((await second.read()).value).toBe("m1");
    expect((await second.read()).value).toBe("m2");
    expect((await second.read()).done).toBe(true);
  });

  it("readers of the platform's own class and ours take turns without loss", async () => {
    const feed = new Feed(strategy);
    const foreign = new ReadableStreamDefaultReader(feed.readable);
    const waiting = foreign.read();
    foreign.releaseLock();
    await expect(waiting).rejects.toThrow(TypeError);
    feed.send(...numbered(6)).end();
    const own = feed.readable.getReader();
    expect((await own.read()).value).toBe("m0");
    own.releaseLock();
    const other = new ReadableStreamDefaultReader(feed.readable);
    expect((await other.read()).value).toBe("m1");
    other.releaseLock();
    expect(await collect(feed.readable)).toEqual(["m2", "m3", "m4", "m5"]);
  });

  it("error() rejects the read that waits, later ones and closed with one object, and drops the queue", async () => {
    const feed = new Feed(strategy);
    const reader = feed.readable.getReader();
    const waiting = reader.read();
    const error = new Error("lost");
    feed.source.error(error);
    await expect(waiting).rejects.toBe(error);
    await expect(reader.read()).rejects.toBe(error);
    await expect(reader.closed).rejects.toBe(error);
    expect(feed.source.queuedBytes).toBe(0);
  });

  it("cancel() closes the stream and tells the source", async () => {
    const feed = new Feed(strategy).send(...numbered(5));
    const reader = feed.readable.getReader();
    await reader.read();
    await reader.cancel("why");
    expect(feed.cancelledWith).toEqual(["why"]);
    expect((await reader.read()).done).toBe(true);
    await reader.closed;
    expect(feed.source.hasDemand).toBe(false);
  });

  it("the platform's pipeTo, pipeThrough and tee work", async () => {
    const piped: unknown[] = [];
    const sink = new WritableStream({ write: (message) => void piped.push(message) });
    await new Feed(strategy)
      .send(...numbered(10))
      .end()
      .readable.pipeTo(sink);
    expect(piped).toEqual(numbered(10));

    const upper = new TransformStream<ReadableMessage, string>({
      transform: (message, controller) => controller.enqueue(String(message).toUpperCase()),
    });
    const through = new Feed(strategy)
      .send(...numbered(3))
      .end()
      .readable.pipeThrough(upper);
    expect(await collect(through as AsyncIterable<string>)).toEqual(["M0", "M1", "M2"]);

    const [left, right] = new Feed(strategy)
      .send(...numbered(5))
      .end()
      .readable.tee();
    expect(await Promise.all([collect(left), collect(right)])).toEqual([numbered(5), numbered(5)]);
  });

  it("Readable.fromWeb and transfer work", async () => {
    const nodeStream = stream.Readable.fromWeb(new Feed(strategy).send(...numbered(5)).end().readable as never, {
      objectMode: true,
    });
    expect(await collect(nodeStream)).toEqual(numbered(5));
    const { readable } = new Feed(strategy).send(...numbered(5)).end();
    const moved = structuredClone(readable, { transfer: [readable as never] });
    expect(await collect(moved)).toEqual(numbered(5));
  });
});

/** Missing in the types of Node. */
const { isDisturbed } = stream as unknown as { isDisturbed(stream: object): boolean };

describe("what only an observer of details sees", () => {
  it("the stream is disturbed from the first read on", async () => {
    const { readable } = new Feed().send(...numbered(3)).end();
    expect(isDisturbed(readable)).toBe(false);
    const reader = readable.getReader();
    expect(isDisturbed(readable)).toBe(false);
    await reader.read();
    expect(isDisturbed(readable)).toBe(true);
    reader.releaseLock();
    expect(() => new Response(readable as never)).toThrow(TypeError);
  });

  it("a read of a queued message settles within as many microtasks as a platform stream's", async () => {
    const ticks: number[] = [];
    const native = new ReadableStream({
      start: (controller) => {
        controller.enqueue("m0");
        controller.enqueue("m1");
      },
    });
    for (const stream of [native, new Feed({ highWaterMark: 2 }).send("m0", "m1").readable]) {
      const reader = stream.getReader();
      await reader.read();
      let count = 0;
      let isSettled = false;
      reader.read().then(() => {
        isSettled = true;
      });
      while (!isSettled) {
        await null;
        count++;
      }
      ticks.push(count);
    }
    expect(ticks[1]).toBe(ticks[0]);
  });

  it("a replaced platform read() sees every read", async () => {
    const original = ReadableStreamDefaultReader.prototype.read;
    let calls = 0;
    ReadableStreamDefaultReader.prototype.read = function (this: ReadableStreamDefaultReader) {
      calls++;
      return original.call(this);
    } as never;
    try {
      const reader = new Feed().send("m0", "m1").readable.getReader();
      await reader.read();
      await reader.read();
    } finally {
      ReadableStreamDefaultReader.prototype.read = original;
    }
    expect(calls).toBe(2);
  });
});

describe("demand (R2, 2.7)", () => {
  it("is one message before the first read by default", () => {
    const feed = new Feed().send("m0", "m1", "m2");
    expect(feed.source.queuedBytes).toBe(2);
    expect(feed.source.hasDemand).toBe(false);
  });

  it("is none before the first read with highWaterMark 0", async () => {
    const feed = new Feed({ highWaterMark: 0 }).send("m0", "m1");
    expect(feed.source.queuedBytes).toBe(0);
    expect((await feed.readable.getReader().read()).value).toBe("m0");
    expect(feed.source.queuedBytes).toBe(0);
  });

  it.each([Number.NaN, -1])("a highWaterMark of %s is a RangeError", (highWaterMark) => {
    expect(() => new Feed({ highWaterMark })).toThrow(RangeError);
  });

  it("a size that is no function is a TypeError", () => {
    expect(() => new Feed({ size: 1 as never })).toThrow(TypeError);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("size");
      },
      Error,
    ],
    ["gives NaN", () => Number.NaN, RangeError],
    ["gives a negative number", () => -1, RangeError],
    ["gives Infinity", () => Number.POSITIVE_INFINITY, RangeError],
  ])("a size function that %s errors the stream", async (_, size, expected) => {
    const feed = new Feed({ highWaterMark: 5, size }).send("m0");
    await expect(feed.readable.getReader().read()).rejects.toThrow(expected);
    expect(feed.source.hasDemand).toBe(false);
  });
});
