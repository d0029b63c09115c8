/**
 * The tests that run inside the browsers: each is one exported function of a page or a worker. They throw when something
 * is not as it should be. Node imports this file too, for the names.
 */

import type { PageOptions } from "../../packages/polyfill/src/options.ts";
import { WebSocketError, WebSocketStream } from "../../packages/polyfill/src/ponyfill.ts";
import type { Report } from "./server.ts";

/** How a page holds the server back: see `flowControl`. */
export type Tier = "native" | "credit" | "none";

export interface TestContext {
  /** Of the server: http: or https:, with a slash at its end. */
  readonly serverUrl: string;
  readonly tier: Tier;
}

type Options = PageOptions & { protocols?: string[]; signal?: AbortSignal };

function tierOptions(tier: Tier): PageOptions {
  if (tier === "native") return {};
  return tier === "credit" ? { credit: "require" } : { native: false };
}

let lastId = 0;
const prefix = Math.random().toString(36).slice(2);

class Session {
  readonly id = `${prefix}-${++lastId}`;
  readonly #context: TestContext;
  readonly stream: WebSocketStream;

  constructor(context: TestContext, path: string, options: Options = {}) {
    this.#context = context;
    const url = new URL(path, context.serverUrl);
    url.searchParams.set("id", this.id);
    this.stream = new WebSocketStream(url, { ...tierOptions(context.tier), ...options });
  }

  async report(): Promise<Report> {
    const response = await fetch(new URL(`report?id=${this.id}`, this.#context.serverUrl));
    return (await response.json()) as Report;
  }

  /** The server's count once it no longer rises. */
  async settledReport(member: "accepted" | "received"): Promise<number> {
    let last = -1;
    for (let same = 0; same < 5; ) {
      const now = (await this.report())[member];
      same = now === last && now > 0 ? same + 1 : 0;
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return last;
  }

  async untilReported(isTrue: (report: Report) => boolean): Promise<Report> {
    for (;;) {
      const report = await this.report();
      if (isTrue(report)) return report;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function check(isTrue: boolean, what: string): asserts isTrue {
  if (!isTrue) throw new Error(`Expected ${what}`);
}

function checkEqual(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`Expected ${what} to be ${b}: got ${a}`);
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("Expected a rejection");
}

async function checkWebSocketError(promise: Promise<unknown>, closeCode: number | null): Promise<WebSocketError> {
  const error = await rejection(promise);
  check(error instanceof WebSocketError, `a WebSocketError, got ${String(error)}`);
  checkEqual(error.closeCode, closeCode, "closeCode");
  return error;
}

/** Reads flood messages to the end, checking order and content. */
async function readFlood(
  readable: ReadableStream<string | Uint8Array>,
  afterEach: (index: number) => Promise<void> | void = () => {},
): Promise<number> {
  const reader = readable.getReader();
  for (let index = 0; ; index++) {
    const { done, value } = await reader.read();
    if (done) return index;
    check(value instanceof Uint8Array, "a Uint8Array");
    const place = new DataView(value.buffer).getUint32(0);
    if (place !== index || value[value.length - 1] !== (value.length > 4 ? index & 255 : value[value.length - 1])) {
      throw new Error(`Expected message ${index}, got ${place}`);
    }
    await afterEach(index);
  }
}

export const tests: Record<string, (context: TestContext) => Promise<void>> = {
  async "opens, and says what holds the server back"(context) {
    const { stream } = new Session(context, "sluice/echo");
    checkEqual(stream.flowControl, null, "flowControl before opened");
    const info = await stream.opened;
    checkEqual(Object.keys(info), ["extensions", "protocol", "readable", "writable"], "members of opened");
    checkEqual(info.protocol, "", "protocol");
    checkEqual(stream.flowControl, context.tier, "flowControl");
    check(info.readable instanceof ReadableStream && info.writable instanceof WritableStream, "platform streams");
    check(stream.url.startsWith("ws"), "a ws: URL");
    stream.close();
    checkEqual(await stream.closed, { closeCode: 1005, reason: "" }, "closed");
  },

  async "echoes text and bytes unchanged, also what looks like a control record"(context) {
    const { stream } = new Session(context, "sluice/echo");
    const { readable, writable } = await stream.opened;
    const [reader, writer] = [readable.getReader(), writable.getWriter()];
    for (const text of [
      "",
      "Hello",
      "\ufeffBOM",
      "\u0010",
      "\u0010C5",
      "\u0010\u0010",
      "\u20ac\u{1f600}".repeat(9_000),
    ]) {
      void writer.write(text);
      const { value } = await reader.read();
      check(value === text, `${JSON.stringify(text.slice(0, 20))} to come back`);
    }
    void writer.write("\ud800");
    checkEqual((await reader.read()).value, "\ufffd", "a lone surrogate");
    const memory = new Uint8Array([9, 1, 2, 3, 9]);
    for (const [chunk, expected] of [
      [memory.subarray(1, 4), [1, 2, 3]],
      [new Uint8Array(0), []],
      [memory.buffer, [9, 1, 2, 3, 9]],
      [new DataView(memory.buffer, 2, 2), [2, 3]],
    ] as const) {
      void writer.write(chunk);
      const { value } = await reader.read();
      check(value instanceof Uint8Array, "a Uint8Array");
      checkEqual([...value], expected, "bytes");
      check(value.byteOffset === 0 && value.buffer.byteLength === value.byteLength, "a buffer of its own");
    }
    void writer.write(12 as unknown as string);
    checkEqual((await reader.read()).value, "12", "a number");
    await writer.close();
  },

  async "a message of 3 MiB passes both ways"(context) {
    const { stream } = new Session(context, "sluice/echo");
    const { readable, writable } = await stream.opened;
    const [reader, writer] = [readable.getReader(), writable.getWriter()];
    const message = new Uint8Array(3 * 1_048_576 + 1).map((_, index) => (index * 31) ^ (index >> 8));
    const written = writer.write(message);
    const { value } = await reader.read();
    check(value instanceof Uint8Array, "a Uint8Array");
    check(value.length === message.length && value.every((byte, i) => byte === message[i]), "the same bytes");
    await written;
    const text = "x\u20ac".repeat(400_000);
    void writer.write(text);
    check((await reader.read()).value === text, "the same text");
    await writer.close();
  },

  async "the application's subprotocol is what it sees"(context) {
    const { stream } = new Session(context, "sluice/echo", { protocols: ["a", "b"] });
    const { protocol } = await stream.opened;
    checkEqual(protocol, "b", "protocol");
    checkEqual(stream.flowControl, context.tier, "flowControl");
    stream.close();
    await stream.closed;
  },

  async "fails when the server selects nothing of what was offered"(context) {
    const { stream } = new Session(context, "foreign/echo", { protocols: ["chat"] });
    await checkWebSocketError(stream.opened, null);
    await checkWebSocketError(stream.closed, 1006);
    checkEqual(stream.flowControl, null, "flowControl");
  },

  async "fails when the server selects what was not offered"(context) {
    const { stream } = new Session(context, "foreign/unoffered");
    if (context.tier === "none" && navigator.userAgent.includes("Firefox")) {
      // Firefox opens the connection and shows no protocol: nothing that a page could notice.
      checkEqual((await stream.opened).protocol, "", "protocol");
      stream.close();
      return;
    }
    await checkWebSocketError(stream.opened, null);
    await checkWebSocketError(stream.closed, 1006);
  },

  async "options that cannot be used throw at once"(context) {
    for (const [options, name] of [
      [{ windowBytes: 1_000, credit: true }, "RangeError"],
      [{ closeTimeoutMs: -1 }, "RangeError"],
      [{ handshakeTimeoutMs: Number.POSITIVE_INFINITY }, "RangeError"],
      [{ readableStrategy: { highWaterMark: -1 } }, "RangeError"],
      [{ writableStrategy: { size: 1 } }, "TypeError"],
      [{ headers: {} }, "TypeError"],
      [{ protocols: "chat" }, "TypeError"],
      [{ signal: {} }, "TypeError"],
    ] as const) {
      let thrown = "nothing";
      try {
        new Session(context, "silent", options as unknown as Options).stream.close();
      } catch (error) {
        thrown = (error as Error).name;
      }
      checkEqual(thrown, name, `what ${JSON.stringify(options)} throws`);
    }
  },

  async "fails when the server refuses"(context) {
    const { stream } = new Session(context, "nowhere");
    const opened = await checkWebSocketError(stream.opened, null);
    const closed = await checkWebSocketError(stream.closed, 1006);
    check(opened !== closed, "two errors");
  },

  async "close() while connecting rejects both promises in a later task"(context) {
    const { stream } = new Session(context, "silent");
    stream.close({ closeCode: 3000 });
    await checkWebSocketError(stream.opened, null);
    await checkWebSocketError(stream.closed, 1006);
  },

  async "an aborted signal rejects with its own reason, before and during the handshake"(context) {
    const reason = { why: "because" };
    const before = new Session(context, "silent", { signal: AbortSignal.abort(reason) }).stream;
    check((await rejection(before.opened)) === reason, "the signal's reason");
    check((await rejection(before.closed)) === reason, "the signal's reason");
    check(before.url.startsWith("ws"), "url to be set");
    const controller = new AbortController();
    controller.signal.addEventListener("abort", (event) => event.stopImmediatePropagation());
    const during = new Session(context, "silent", { signal: controller.signal }).stream;
    setTimeout(() => controller.abort(reason), 30);
    check((await rejection(during.opened)) === reason, "the signal's reason");
    check((await rejection(during.closed)) === reason, "the signal's reason");
  },

  async "an abort after opened changes nothing"(context) {
    const controller = new AbortController();
    const { stream } = new Session(context, "sluice/echo", { signal: controller.signal });
    const { readable, writable } = await stream.opened;
    controller.abort();
    const writer = writable.getWriter();
    void writer.write("still here");
    checkEqual((await readable.getReader().read()).value, "still here", "echo");
    await writer.close();
  },

  async "close() passes code and reason, and validates them in every state"(context) {
    const session = new Session(context, "sluice/echo");
    const { stream } = session;
    await stream.opened;
    for (const closeCode of [0, 1001, 1006, 2999, 5000]) {
      try {
        stream.close({ closeCode });
        throw new Error("no exception");
      } catch (error) {
        checkEqual((error as Error).name, "InvalidAccessError", `exception for ${closeCode}`);
      }
    }
    for (const closeCode of [-1, 70_000, Number.NaN]) {
      try {
        stream.close({ closeCode });
        throw new Error("no exception");
      } catch (error) {
        check(error instanceof TypeError, `a TypeError for ${closeCode}`);
      }
    }
    stream.close({ closeCode: 3456, reason: "p\u00fcnktlich" });
    checkEqual(await stream.closed, { closeCode: 3456, reason: "p\u00fcnktlich" }, "closed");
    const { closed } = await session.untilReported((report) => report.closed !== null);
    checkEqual(closed, { closeCode: 3456, reason: "p\u00fcnktlich" }, "the server's closed");
    try {
      stream.close({ reason: "x".repeat(124) });
      throw new Error("no exception");
    } catch (error) {
      checkEqual((error as Error).name, "SyntaxError", "exception for a long reason");
    }
  },

  async "the server's code and reason arrive, the readable ends, the writable is errored"(context) {
    const { stream } = new Session(context, "sluice/flood?count=3&size=10&code=4321&reason=enough");
    const { readable, writable } = await stream.opened;
    checkEqual(await readFlood(readable), 3, "messages");
    checkEqual(await stream.closed, { closeCode: 4321, reason: "enough" }, "closed");
    checkEqual(((await rejection(writable.getWriter().write("x"))) as Error).name, "InvalidStateError", "write()");
  },

  async "writer.close() sends everything first and waits for the end"(context) {
    const session = new Session(context, "sluice/sink");
    const { writable } = await session.stream.opened;
    const writer = writable.getWriter();
    for (let i = 0; i < 100; i++) void writer.write(new Uint8Array(1_000));
    await writer.close();
    checkEqual(await session.stream.closed, { closeCode: 1005, reason: "" }, "closed");
    const { received } = await session.untilReported((report) => report.closed !== null);
    checkEqual(received, 100_000, "bytes at the server");
  },

  async "abort() and cancel() take the code of a WebSocketError and nothing else"(context) {
    for (const act of ["abort", "cancel"] as const) {
      for (const [reason, expected] of [
        [new WebSocketError("", { closeCode: 3333, reason: "r" }), { closeCode: 3333, reason: "r" }],
        [new WebSocketError("", { reason: "r" }), { closeCode: 1000, reason: "r" }],
        [
          { closeCode: 3333, reason: "r" },
          { closeCode: 1005, reason: "" },
        ],
      ] as const) {
        const { stream } = new Session(context, "sluice/echo");
        const { readable, writable } = await stream.opened;
        await (act === "abort" ? writable.abort(reason) : readable.cancel(reason));
        checkEqual(await stream.closed, expected, `closed after ${act}`);
      }
    }
  },

  async "a native WebSocketError counts as one, and a code that may not be sent is left out"(context) {
    const Native = (globalThis as { WebSocketError?: typeof WebSocketError }).WebSocketError;
    if (Native !== undefined) {
      const { stream } = new Session(context, "sluice/echo");
      await (await stream.opened).writable.abort(new Native("", { closeCode: 3334, reason: "native" }));
      checkEqual(await stream.closed, { closeCode: 3334, reason: "native" }, "closed");
    }
    const failed = new Session(context, "nowhere").stream;
    const unsendable = await rejection(failed.closed);
    const { stream } = new Session(context, "sluice/echo");
    await (await stream.opened).readable.cancel(unsendable);
    checkEqual(await stream.closed, { closeCode: 1005, reason: "" }, "closed");
  },

  async "chunks that cannot be sent reject the write and leave the connection open"(context) {
    const { stream } = new Session(context, "sluice/flood?count=1&size=8&keep");
    const { readable, writable } = await stream.opened;
    check(
      (await rejection(writable.getWriter().write(new Blob(["x"]) as unknown as string))) instanceof TypeError,
      "a TypeError",
    );
    checkEqual((await readable.getReader().read()).done, false, "done");
    stream.close();
    await stream.closed;
  },

  async "10,000 small messages and then a Close, read slowly: all arrive"(context) {
    const session = new Session(context, "sluice/flood?count=10000&size=20");
    const { readable } = await session.stream.opened;
    const count = await readFlood(readable, (index) =>
      index % 500 === 0 ? new Promise((resolve) => setTimeout(resolve, 10)) : undefined,
    );
    checkEqual(count, 10_000, "messages");
    checkEqual(await session.stream.closed, { closeCode: 1005, reason: "" }, "closed");
  },

  async "a server that reads nothing stops the writer, and abort() gets out of it"(context) {
    const session = new Session(context, "sluice/stalled");
    const { writable } = await session.stream.opened;
    const writer = writable.getWriter();
    const chunk = new Uint8Array(65_536);
    let written = 0;
    const write = async (): Promise<void> => {
      for (; written < 2_000; written++) await writer.write(chunk);
    };
    const stopped = rejection(write());
    for (let last = -1; last !== written; ) {
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    const mebibytes = (written * 65_536) / 1_048_576;
    // Credit: the server's window. Native WebSocketStream: kernel buffers. WebSocket: those and our limit; WebKitGTK's
    // bufferedAmount bounds nothing, so there is no number to check.
    if (context.tier === "credit") check(mebibytes <= 1.2, `at most the window to be written, not ${mebibytes} MiB`);
    else if (!/AppleWebKit.*Version/.test(navigator.userAgent))
      check(mebibytes < 16, `an end of writing before ${mebibytes} MiB`);
    const reason = new Error("enough");
    await writer.abort(reason);
    if (written < 2_000) check((await stopped) === reason, "the abort's reason");
  },
};

/** Only where there is backpressure. */
export const pressureTests: typeof tests = {
  async "3 MiB and then a Close, read slowly: all arrive"(context) {
    const session = new Session(context, "sluice/flood?count=48&size=65536");
    const { readable } = await session.stream.opened;
    const count = await readFlood(readable, () => new Promise((resolve) => setTimeout(resolve, 5)));
    checkEqual(count, 48, "messages");
    checkEqual(await session.stream.closed, { closeCode: 1005, reason: "" }, "closed");
  },

  async "a reader that stops stops the server; then everything arrives"(context) {
    const windowBytes = 1_048_576;
    const count = 2_048;
    const session = new Session(context, `sluice/flood?count=${count}&size=16384`, {
      windowBytes,
      maxWindowBytes: windowBytes,
    });
    const { readable } = await session.stream.opened;
    const accepted = await session.settledReport("accepted");
    // Without credit the kernel's buffers on both sides count too: 3.6 to 7 MiB were measured.
    const bound = windowBytes + (context.tier === "credit" ? 262_144 : 9 * 1_048_576);
    check(accepted <= bound, `at most ${bound} bytes to be accepted, not ${accepted}`);
    checkEqual(await readFlood(readable), count, "messages");
    checkEqual(await session.stream.closed, { closeCode: 1005, reason: "" }, "closed");
  },
};

/** Only where nothing holds the server back. */
export const limitTests: typeof tests = {
  async "a write() while the connection is being failed rejects with the error that closed reports"(context) {
    const session = new Session(context, "foreign/flood?count=100&size=65536&keep", {
      receiveBufferLimitBytes: 1_000_000,
    });
    const { writable } = await session.stream.opened;
    const writer = writable.getWriter();
    await writer.write("the stream is started");
    // The limit is exceeded in some task of the browser's; this is called in the middle of it.
    const { close } = WebSocket.prototype;
    let written: Promise<unknown> | null = null;
    WebSocket.prototype.close = function (...args) {
      written ??= rejection(writer.write("too late"));
      close.apply(this, args);
    };
    try {
      const error = await checkWebSocketError(session.stream.closed, 1006);
      check((await written) === error, "the same error");
    } finally {
      WebSocket.prototype.close = close;
    }
  },

  async "more unread messages than the limit end the connection with 4008"(context) {
    const session = new Session(context, "foreign/flood?count=100&size=65536&keep", {
      receiveBufferLimitBytes: 1_000_000,
    });
    const { readable } = await session.stream.opened;
    const error = await checkWebSocketError(session.stream.closed, 1006);
    const reader = readable.getReader();
    check((await rejection(reader.closed)) === error, "the same error");
    checkEqual(
      (await session.untilReported((report) => report.closed !== null)).closed,
      { closeCode: 4008, reason: "More unread messages than the limit" },
      "the server's closed",
    );
  },

  async "overflow: drop-oldest keeps the newest"(context) {
    const options: Options = { receiveBufferLimitBytes: 100_000, overflow: "drop-oldest" };
    const session = new Session(context, "foreign/flood?count=1000&size=1000", options);
    const { readable } = await session.stream.opened;
    await session.untilReported((report) => report.closed !== null);
    const reader = readable.getReader();
    const places: number[] = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      places.push(new DataView((value as Uint8Array).buffer).getUint32(0));
    }
    checkEqual(places.at(-1), 999, "the last message");
    check(places.length < 200, `few messages to be kept, not ${places.length}`);
  },
};

/** Only over the native class. */
export const nativeTests: typeof tests = {
  async "what Chromium drops at a Close behind a full queue makes the end unclean"(context) {
    const window = { windowBytes: 65_536, maxWindowBytes: 65_536 };
    const session = new Session(context, "sluice/flood?count=1000&size=1000", window);
    const { readable } = await session.stream.opened;
    let messages = 0;
    const error = await rejection(
      readFlood(readable, () => {
        messages++;
        return new Promise((resolve) => setTimeout(resolve, 1));
      }),
    );
    check((await checkWebSocketError(session.stream.closed, 1005)) === error, "the same error");
    check(messages < 1000, "messages to be lost");
  },
};

/** Only with credit. */
export const creditTests: typeof tests = {
  async "credit: true does without where the server does not know it, again and again"(context) {
    for (let i = 0; i < 2; i++) {
      const { stream } = new Session(context, "foreign/echo", { credit: true });
      const { readable, writable, protocol } = await stream.opened;
      checkEqual(protocol, "", "protocol");
      check(stream.flowControl === "none" || stream.flowControl === "native", "no credit");
      const writer = writable.getWriter();
      void writer.write("hello");
      checkEqual((await readable.getReader().read()).value, "hello", "echo");
      await writer.close();
    }
  },

  async "credit: require fails where the server does not know it"(context) {
    const { stream } = new Session(context, "foreign/echo");
    await checkWebSocketError(stream.opened, null);
  },

  async "allowHalfOpen: writer.close() ends one direction only"(context) {
    const { stream } = new Session(context, "sluice/answer", { allowHalfOpen: true });
    const { readable, writable } = await stream.opened;
    const writer = writable.getWriter();
    void writer.write("one");
    void writer.write("two");
    const closed = writer.close();
    const reader = readable.getReader();
    checkEqual((await reader.read()).value, "2 messages", "the answer");
    checkEqual((await reader.read()).done, true, "done");
    await closed;
    checkEqual(await stream.closed, { closeCode: 1005, reason: "" }, "closed");
  },

  async "a Close behind unread messages: writes fail, messages stay readable, close() gives them up"(context) {
    const session = new Session(context, "sluice/flood?count=20&size=1000&code=4000");
    const { readable, writable } = await session.stream.opened;
    const writer = writable.getWriter();
    await rejection(writer.closed);
    checkEqual(((await rejection(writer.write("x"))) as Error).name, "InvalidStateError", "write()");
    const reader = readable.getReader();
    checkEqual((await reader.read()).done, false, "done");
    session.stream.close();
    checkEqual((await session.stream.closed).closeCode, 4000, "closeCode");
  },
};
