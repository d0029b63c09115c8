import { Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Connection } from "../connection/connection.ts";
import { SendTicket } from "../connection/send-ticket.ts";
import { MessageSink, type WritableMessage } from "./message-sink.ts";

/** A connection that takes a number of messages at once and makes the others wait. */
class FakeConnection {
  readonly readyState = 1;
  readonly sent: (string | Uint8Array)[] = [];
  readonly tickets: SendTicket[] = [];
  room: number = Number.POSITIVE_INFINITY;

  send(data: string | Uint8Array): SendTicket | null {
    this.sent.push(typeof data === "string" ? data : data.slice());
    if (this.sent.length < this.room) return null;
    const ticket = new SendTicket(data.length);
    this.tickets.push(ticket);
    return ticket;
  }

  drain(): void {
    for (const ticket of this.tickets.splice(0)) ticket.settle(true);
  }
}

function createSink(strategy?: QueuingStrategy<WritableMessage>) {
  const connection = new FakeConnection();
  const calls: string[] = [];
  let isOpen = true;
  const sink = new MessageSink(connection as unknown as Connection, strategy, {
    get isOpen() {
      return isOpen;
    },
    closedError: new DOMException("closed", "InvalidStateError"),
    onSinkClose: () => {
      calls.push("close");
      isOpen = false;
      queueMicrotask(() => sink.finish(null, null, true));
    },
    onSinkAbort: (reason) => {
      calls.push(`abort ${String(reason)}`);
      isOpen = false;
    },
  });
  return { connection, sink, writable: sink.writable, calls, close: () => (isOpen = false) };
}

/** A platform stream that does the same at once. */
function createNative(): WritableStream<WritableMessage> {
  return new WritableStream<WritableMessage>({ write() {} });
}

describe("the writable is a platform WritableStream", () => {
  it("has the platform's classes and brands", () => {
    const { writable } = createSink();
    expect(writable).toBeInstanceOf(WritableStream);
    expect(writable.constructor).toBe(WritableStream);
    expect(writable.getWriter()).toBeInstanceOf(WritableStreamDefaultWriter);
    expect(writable.locked).toBe(true);
    expect(() => writable.getWriter()).toThrow(TypeError);
  });

  it("desiredSize and ready move as a platform stream's", async () => {
    for (const writable of [createNative(), createSink().writable]) {
      const writer = writable.getWriter();
      // Twice: the first write starts the stream, the second may take the short cut.
      for (let round = 0; round < 2; round++) {
        await writer.ready;
        expect(writer.desiredSize).toBe(1);
        const first = writer.write("a");
        expect(writer.desiredSize).toBe(0);
        const second = writer.write("b");
        expect(writer.desiredSize).toBe(-1);
        let isReady = false;
        writer.ready.then(() => {
          isReady = true;
        });
        expect(isReady).toBe(false);
        await Promise.all([first, second]);
        await writer.ready;
        expect(writer.desiredSize).toBe(1);
      }
    }
  });

  it("reactions to write(), ready, close() and closed come in the platform's order", async () => {
    const orders: string[] = [];
    for (const writable of [createNative(), createSink().writable]) {
      const writer = writable.getWriter();
      await writer.write("start");
      const order: string[] = [];
      writer.write("a").then(() => order.push("a"));
      writer.write("b").then(() => order.push("b"));
      writer.ready.then(() => order.push("ready"));
      writer.write("c").then(() => order.push("c"));
      await new Promise(setImmediate);
      const closing = writer.close();
      closing.then(() => order.push("close"));
      writer.closed.then(() => order.push("closed"));
      await closing;
      await new Promise(setImmediate);
      orders.push(order.join());
    }
    expect(orders[1]).toBe(orders[0]);
  });

  it("the platform's pipeTo and Writable.fromWeb work", async () => {
    const piped = createSink();
    await new ReadableStream({
      start(controller) {
        for (const message of ["a", "b", "c"]) controller.enqueue(message);
        controller.close();
      },
    }).pipeTo(piped.writable);
    expect(piped.connection.sent).toEqual(["a", "b", "c"]);
    expect(piped.calls).toEqual(["close"]);

    const adapted = createSink();
    const nodeStream = Writable.fromWeb(adapted.writable as never, { decodeStrings: false });
    nodeStream.write("a");
    nodeStream.end("b");
    await new Promise((resolve) => nodeStream.on("finish", resolve));
    expect(adapted.connection.sent).toEqual(["a", "b"]);
  });

  it("a replaced platform write() sees every write", async () => {
    const original = WritableStreamDefaultWriter.prototype.write;
    let calls = 0;
    WritableStreamDefaultWriter.prototype.write = function (this: WritableStreamDefaultWriter, chunk: unknown) {
      calls++;
      return original.call(this, chunk);
    };
    try {
      const writer = createSink().writable.getWriter();
      await writer.write("a");
      await writer.write("b");
    } finally {
      WritableStreamDefaultWriter.prototype.write = original;
    }
    expect(calls).toBe(2);
  });
});

describe("S3, S4: write() and ready wait for the connection", () => {
  it.each([1, 2, 3, 4])(
    "the message at which room ends, number %i, waits; those behind it are not sent",
    async (room) => {
      const { connection, writable } = createSink();
      connection.room = room;
      const writer = writable.getWriter();
      for (let i = 1; i < room; i++) await writer.write(`m${i}`);
      await writer.ready;
      let isWritten = false;
      let isReady = false;
      const last = writer.write("last").then(() => {
        isWritten = true;
      });
      writer.ready.then(() => {
        isReady = true;
      });
      const queued = writer.write("queued");
      await new Promise(setImmediate);
      expect([isWritten, isReady]).toEqual([false, false]);
      expect(connection.sent.at(-1)).toBe("last");
      expect(writer.desiredSize).toBe(-1);
      connection.room = Number.POSITIVE_INFINITY;
      connection.drain();
      await last;
      await queued;
      await writer.ready;
      expect(connection.sent.at(-1)).toBe("queued");
      expect(connection.sent).toHaveLength(room + 1);
      expect(writer.desiredSize).toBe(1);
    },
  );

  it("abort() rejects a message that waits at once (D-13)", async () => {
    const { connection, writable, calls } = createSink();
    const writer = writable.getWriter();
    await writer.write("a");
    connection.room = 0;
    const waiting = writer.write("b");
    await expect(Promise.all([waiting, writer.abort("why")])).rejects.toBe("why");
    expect(calls[0]).toBe("abort why");
    await expect(writer.closed).rejects.toBe("why");
  });

  it("a write() when the connection is closing rejects with InvalidStateError (D-10)", async () => {
    const { connection, writable, close } = createSink();
    const writer = writable.getWriter();
    await writer.write("a");
    close();
    await expect(writer.write("b")).rejects.toMatchObject({ name: "InvalidStateError" });
    expect(connection.sent).toEqual(["a"]);
  });

  it("a write() behind close() rejects", async () => {
    const { connection, writable } = createSink();
    const writer = writable.getWriter();
    await writer.write("a");
    const closing = writer.close();
    await expect(writer.write("b")).rejects.toBeInstanceOf(Error);
    await closing;
    expect(connection.sent).toEqual(["a"]);
  });

  it("a released writer sends nothing", async () => {
    const { connection, writable } = createSink();
    const first = writable.getWriter();
    await first.write("a");
    first.releaseLock();
    await expect(first.write("b")).rejects.toThrow(TypeError);
    await writable.getWriter().write("c");
    expect(connection.sent).toEqual(["a", "c"]);
  });

  it("a strategy with a size keeps the platform's accounts", async () => {
    const { connection, writable } = createSink({ highWaterMark: 10, size: (chunk) => (chunk as string).length });
    const writer = writable.getWriter();
    await writer.write("start");
    const writing = writer.write("abc");
    expect(writer.desiredSize).toBe(7);
    await writing;
    expect(connection.sent).toEqual(["start", "abc"]);
  });
});

describe("2.8: what a chunk is sent as", () => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  it.each<[string, unknown, unknown]>([
    ["a string", "text", "text"],
    ["a Uint8Array", bytes, bytes],
    ["exactly a view's bytes", bytes.subarray(2, 4), Uint8Array.of(3, 4)],
    ["a DataView", new DataView(bytes.buffer, 1, 2), Uint8Array.of(2, 3)],
    ["a Float64Array", new Float64Array(1), new Uint8Array(8)],
    ["an ArrayBuffer", bytes.buffer, bytes],
    ["a number", 12, "12"],
    ["null", null, "null"],
    ["undefined", undefined, "undefined"],
    ["an object", { toString: () => "by toString" }, "by toString"],
    ["a lone surrogate in a converted value", ["\ud800"], "\ufffd"],
  ])("%s", async (_, chunk, expected) => {
    for (const hasStarted of [false, true]) {
      const { connection, writable } = createSink();
      const writer = writable.getWriter();
      if (hasStarted) await writer.write("start");
      await writer.write(chunk as WritableMessage);
      expect(connection.sent.at(-1)).toEqual(expected);
    }
  });

  it("a detached buffer is empty", async () => {
    const buffer = new ArrayBuffer(8);
    const view = new Uint8Array(buffer);
    structuredClone(buffer, { transfer: [buffer] });
    for (const chunk of [buffer, view, new Uint8Array(0)]) {
      const { connection, writable } = createSink();
      await writable.getWriter().write(chunk);
      expect(connection.sent).toEqual([new Uint8Array(0)]);
    }
  });

  it.each<[string, () => unknown]>([
    ["a view on a SharedArrayBuffer", () => new Uint8Array(new SharedArrayBuffer(4))],
    ["a SharedArrayBuffer", () => new SharedArrayBuffer(4)],
    ["a resizable ArrayBuffer", () => Reflect.construct(ArrayBuffer, [4, { maxByteLength: 8 }])],
    ["a view on one", () => new Uint8Array(Reflect.construct(ArrayBuffer, [4, { maxByteLength: 8 }]) as ArrayBuffer)],
    ["a Blob", () => new Blob(["x"])],
    ["a symbol", () => Symbol("x")],
  ])("%s is a TypeError, and errors the writable", async (_, create) => {
    for (const hasStarted of [false, true]) {
      const { connection, writable } = createSink();
      const writer = writable.getWriter();
      if (hasStarted) await writer.write("start");
      const before = connection.sent.length;
      await expect(writer.write(create() as WritableMessage)).rejects.toThrow(TypeError);
      await expect(writer.write("later")).rejects.toThrow(TypeError);
      expect(connection.sent).toHaveLength(before);
    }
  });

  it("a conversion that throws rejects with what it threw", async () => {
    const error = new Error("from toString");
    const chunk = {
      toString() {
        throw error;
      },
    };
    await expect(
      createSink()
        .writable.getWriter()
        .write(chunk as never),
    ).rejects.toBe(error);
  });
});
