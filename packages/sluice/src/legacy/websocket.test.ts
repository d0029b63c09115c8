import { afterEach, describe, expect, it, vi } from "vitest";
import type { ConnectObserver, ConnectOptions } from "#connect";
import { Connection } from "../connection/connection.ts";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport, type MemoryTransportOptions } from "../testing/memory-transport.ts";
import type { VirtualClock } from "../testing/virtual-clock.ts";
import { WebSocket } from "./websocket.ts";
import type { WebSocketOptions } from "./websocket-options.ts";

/** What `connect` was asked for; the test decides what comes of it. */
interface Attempt {
  readonly options: ConnectOptions;
  readonly observer: ConnectObserver;
  isAborted: boolean;
}

const attempts: Attempt[] = vi.hoisted(() => []);

vi.mock("#connect", async () => {
  const { VirtualClock } = await import("../testing/virtual-clock.ts");
  return {
    realClock: new VirtualClock(),
    connect(options: ConnectOptions, observer: ConnectObserver) {
      const attempt = { options, observer, isAborted: false };
      attempts.push(attempt);
      return {
        abort: () => {
          attempt.isAborted = true;
        },
      };
    },
  };
});

const clock = (await import("#connect")).realClock as VirtualClock;

afterEach(() => {
  attempts.length = 0;
});

function lastAttempt(): Attempt {
  return attempts.at(-1) as Attempt;
}

interface EstablishOptions extends MemoryTransportOptions {
  readonly protocol?: string;
  readonly extensions?: string;
  readonly head?: Uint8Array<ArrayBuffer>;
}

/** Lets the last attempt succeed. The event is queued, not dispatched. */
function establish(options: EstablishOptions = {}): HostilePeer {
  const { protocol = "", extensions = "", head = new Uint8Array(0) } = options;
  const [transport, peerTransport] = MemoryTransport.pair(clock, options);
  const fillRandom = (target: Uint8Array): void => void target.fill(7);
  const attempt = lastAttempt();
  const connection = new Connection(transport, { ...attempt.options.connection, role: "client", clock, fillRandom });
  attempt.observer.onEstablished(connection, { protocol, extensions, head });
  const peer = new HostilePeer(peerTransport, "server");
  transports.set(peer, peerTransport);
  return peer;
}

const transports: WeakMap<HostilePeer, MemoryTransport> = new WeakMap();

/** An open socket, its peer, and what it saw: type and ready state of each event, with what the event says. */
async function open(options: WebSocketOptions = {}, establishOptions: EstablishOptions = {}) {
  const socket = new WebSocket("ws://test/", options);
  const log = record(socket);
  const peer = establish(establishOptions);
  await clock.run();
  expect(log).toEqual(["open 1"]);
  log.length = 0;
  return { socket, log, peer };
}

function record(socket: WebSocket): string[] {
  const log: string[] = [];
  socket.addEventListener("open", () => log.push(`open ${socket.readyState}`));
  socket.addEventListener("message", ({ data }) => log.push(`message ${socket.readyState} ${data}`));
  socket.addEventListener("error", () => log.push(`error ${socket.readyState}`));
  socket.addEventListener("close", ({ code, reason, wasClean }) => {
    log.push(`close ${socket.readyState} ${code} "${reason}" ${wasClean}`);
  });
  return log;
}

function text(frame: { payload: Uint8Array } | undefined): string {
  return new TextDecoder().decode(frame?.payload);
}

describe("spec-digest 4.1 constructor", () => {
  it("is CONNECTING, with empty protocol and extensions and binaryType blob", () => {
    const socket = new WebSocket("http://example.com");
    expect(socket.url).toBe("ws://example.com/");
    expect(socket.readyState).toBe(WebSocket.CONNECTING);
    expect([socket.protocol, socket.extensions, socket.binaryType, socket.bufferedAmount]).toEqual(["", "", "blob", 0]);
  });

  it.each([
    ["a string", "chat", ["chat"]],
    ["an array", ["a", "b"], ["a", "b"]],
    ["any iterable", new Set(["a", "b"]), ["a", "b"]],
    ["a String object, which is an iterable of its characters", Object("ab"), ["a", "b"]],
    ["undefined", undefined, []],
    ["null, which is a string", null, ["null"]],
    ["a number, which is a string", 7, ["7"]],
    ["options with one protocol", { protocols: "chat" }, ["chat"]],
    ["options with several", { protocols: ["a", "b"] }, ["a", "b"]],
    ["options without", {}, []],
  ])("offers the protocols of %s", (_, protocols, expected) => {
    new WebSocket("ws://test/", protocols as string);
    expect(lastAttempt().options.protocols).toEqual(expected);
  });

  it("passes the options of Node on (D-04)", () => {
    const headers = { authorization: "secret" };
    new WebSocket("ws://test/", { headers, origin: "https://o.example", maxMessageBytes: 5, perMessageDeflate: false });
    expect(lastAttempt().options).toMatchObject({ headers, origin: "https://o.example", perMessageDeflate: false });
    expect(lastAttempt().options.connection).toMatchObject({ maxMessageBytes: 5 });
  });

  it.each(["", "/relative", "ftp://test/", "ws://test/#", "ws://test/#x", "ws://a b/"])("refuses the URL %j", (url) => {
    expect(() => new WebSocket(url)).toThrow(expect.objectContaining({ name: "SyntaxError", code: 12 }));
    expect(attempts).toEqual([]);
  });

  it.each([[""], ["a b"], ["a,b"], ["é"], [["a", "a"]], [["a", "A"]], ["\ud800"]])(
    "refuses the protocols %j",
    (protocols) => {
      expect(() => new WebSocket("ws://test/", protocols)).toThrow(expect.objectContaining({ name: "SyntaxError" }));
      expect(attempts).toEqual([]);
    },
  );

  it("looks at the URL before the protocols, and converts both before", () => {
    const calls: string[] = [];
    const url = {
      toString() {
        calls.push("url");
        return "bad:url";
      },
    };
    const protocols = {
      [Symbol.iterator]() {
        calls.push("protocols");
        return [""].values();
      },
    };
    expect(() => new WebSocket(url as unknown as string, protocols)).toThrow(/scheme/);
    expect(calls).toEqual(["url", "protocols"]);
  });

  it("throws a TypeError for an iterator that is no function, and for a symbol", () => {
    expect(() => new WebSocket("ws://test/", { [Symbol.iterator]: 1 } as object)).toThrow(TypeError);
    expect(() => new WebSocket("ws://test/", Symbol("x") as unknown as string)).toThrow(TypeError);
  });

  it("throws a RangeError for a limit out of its range", () => {
    expect(() => new WebSocket("ws://test/", { maxBufferedBytes: -1 })).toThrow(RangeError);
    expect(() => new WebSocket("ws://test/", { maxMessageBytes: 0 })).toThrow(RangeError);
  });
});

describe("spec-digest 4.4 events and transitions", () => {
  it("established: OPEN, protocol and extensions are set when open fires, not before", async () => {
    const socket = new WebSocket("ws://test/", "chat");
    const seen: unknown[] = [];
    socket.onopen = () => seen.push(socket.readyState, socket.protocol, socket.extensions);
    establish({ protocol: "chat", extensions: "permessage-deflate" });
    expect([socket.readyState, socket.protocol, socket.extensions]).toEqual([0, "", ""]);
    await clock.run();
    expect(seen).toEqual([1, "chat", "permessage-deflate"]);
  });

  it("handshake failure: error, then close(1006), both CLOSED", async () => {
    const socket = new WebSocket("ws://test/");
    const log = record(socket);
    lastAttempt().observer.onFailed(new Error("refused"));
    expect(socket.readyState).toBe(0);
    expect(log).toEqual([]);
    await clock.run();
    expect(log).toEqual(["error 3", 'close 3 1006 "" false']);
  });

  it("close() in CONNECTING: CLOSING at once, later error and close(1006)", async () => {
    const socket = new WebSocket("ws://test/");
    const log = record(socket);
    socket.close(4000, "ignored");
    expect(socket.readyState).toBe(2);
    expect(lastAttempt().isAborted).toBe(true);
    expect(log).toEqual([]);
    await clock.run();
    expect(log).toEqual(["error 3", 'close 3 1006 "" false']);
  });

  it("close() between the handshake and the open event: no open, error and close(1006)", async () => {
    const socket = new WebSocket("ws://test/");
    const log = record(socket);
    const peer = establish();
    socket.close();
    expect(socket.readyState).toBe(2);
    await clock.run();
    expect(log).toEqual(["error 3", 'close 3 1006 "" false']);
    expect(peer.closes).toEqual([[1001, ""]]);
  });

  it("peer closes with 4000 bye: messages, then close(4000, bye, true) and no error", async () => {
    const { log, peer } = await open();
    peer.sendText("a");
    peer.sendText("b");
    peer.sendClose(4000, "bye");
    await clock.run();
    expect(log).toEqual(["message 1 a", "message 1 b"]);
    expect(peer.closes).toEqual([[4000, "bye"]]);
    peer.end();
    await clock.run();
    expect(log.slice(2)).toEqual(['close 3 4000 "bye" true']);
  });

  it("peer closes without code: close(1005)", async () => {
    const { socket, log, peer } = await open();
    peer.sendClose();
    await clock.run();
    expect(socket.readyState).toBe(2);
    peer.end();
    await clock.run();
    expect(log).toEqual(['close 3 1005 "" true']);
    expect(peer.closes).toEqual([[]]);
  });

  it.each([
    ["end", (peer: HostilePeer) => peer.end()],
    ["reset", (peer: HostilePeer) => peer.destroy()],
  ])("TCP %s without Close: messages, error, close(1006) (D-23)", async (_, cut) => {
    const { log, peer } = await open();
    peer.sendText("last");
    await clock.run();
    cut(peer);
    await clock.run();
    expect(log).toEqual(["message 1 last", "error 3", 'close 3 1006 "" false']);
  });

  it.each([
    ["a reserved opcode", [0x83, 0x00], 1002],
    ["text that is not UTF-8", [0x81, 0x01, 0xff], 1007],
    ["a message above maxMessageBytes", [0x82, 0x7e, 0x01, 0x00], 1009],
  ])("bad data, %s: messages before it, error, close(1006)", async (_, bytes, closeCode) => {
    const { log, peer } = await open({ maxMessageBytes: 100 });
    peer.sendText("good");
    peer.send(bytes);
    await clock.run();
    expect(log).toEqual(["message 1 good", "error 3", 'close 3 1006 "" false']);
    expect(peer.closes.map(([code]) => code)).toEqual([closeCode]);
  });

  it("says on the error event what failed, which is an Event and nothing else", async () => {
    const { socket, peer } = await open();
    const events: (Event & { error?: Error })[] = [];
    socket.onerror = (event) => events.push(event);
    peer.send([0x83, 0x00]);
    await clock.run();
    expect(events).toHaveLength(1);
    expect(Object.getPrototypeOf(events[0])).toBe(Event.prototype);
    expect(Object.keys(events[0] as Event)).not.toContain("error");
    expect(events[0]?.error).toMatchObject({ closeCode: 1002 });
  });

  it("bytes behind the handshake are messages behind open", async () => {
    const socket = new WebSocket("ws://test/");
    const log = record(socket);
    establish({ head: Uint8Array.from([0x81, 0x02, 0x68, 0x69]) });
    await clock.run();
    expect(log).toEqual(["open 1", "message 1 hi"]);
  });

  it("open, messages and close of a peer that sends all in one packet come in order", async () => {
    const socket = new WebSocket("ws://test/");
    const log = record(socket);
    establish({ head: Uint8Array.from([0x81, 0x01, 0x61, 0x81, 0x01, 0x62, 0x88, 0x02, 0x03, 0xe8]) }).end();
    await clock.run();
    expect(log).toEqual(["open 1", "message 1 a", "message 1 b", 'close 3 1000 "" true']);
  });

  it("runs all microtasks of an event before the next, also of another socket (D-26)", async () => {
    const first = await open();
    const second = await open();
    const log: string[] = [];
    for (const [name, { socket }] of Object.entries({ first, second })) {
      socket.onmessage = async ({ data }) => {
        for (let i = 0; i < 20; i++) await undefined;
        log.push(`${name} ${data} done`);
      };
      socket.addEventListener("message", ({ data }) => log.push(`${name} ${data}`));
    }
    first.peer.sendText("1");
    first.peer.sendText("2");
    second.peer.sendText("3");
    await clock.run();
    expect(log).toEqual(["first 1", "first 1 done", "first 2", "first 2 done", "second 3", "second 3 done"]);
  });

  it("gives timers and sockets their turn in a long run of events", async () => {
    const { socket, peer } = await open();
    let now = 0;
    const nowSpy = vi.spyOn(clock, "now").mockImplementation(() => now);
    const nextTask = vi.spyOn(clock, "nextTask");
    let count = 0;
    socket.onmessage = () => {
      count++;
      now += 1;
    };
    for (let i = 0; i < 100; i++) peer.sendText("x");
    await clock.run();
    expect(count).toBe(100);
    expect(nextTask.mock.calls.length).toBeGreaterThanOrEqual(6);
    expect(nextTask.mock.calls.length).toBeLessThan(50);
    nowSpy.mockRestore();
    nextTask.mockRestore();
  });

  it("close() in a message handler drops the messages behind it", async () => {
    const { socket, log, peer } = await open();
    socket.addEventListener("message", () => socket.close(1000), { once: true });
    peer.sendText("a");
    peer.sendText("b");
    await clock.run();
    expect(log).toEqual(["message 1 a"]);
    expect(peer.closes).toEqual([[1000, ""]]);
    peer.sendText("c");
    peer.sendClose(4001);
    peer.end();
    await clock.run();
    expect(log).toEqual(["message 1 a", 'close 3 4001 "" true']);
  });

  it("an exception in a handler is reported, and disturbs nothing", async () => {
    const { socket, log, peer } = await open();
    const reported: unknown[] = [];
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => reported.push(error));
    try {
      socket.onmessage = ({ data }) => {
        throw new Error(`handler ${data}`);
      };
      peer.sendText("a");
      peer.sendText("b");
      peer.sendClose(1000);
      peer.end();
      await clock.run();
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of listeners) process.on("uncaughtException", listener);
    }
    expect(reported).toEqual([new Error("handler a"), new Error("handler b")]);
    expect(log).toEqual(["message 1 a", "message 1 b", 'close 3 1000 "" true']);
  });

  it("fires events on the socket even if a script has replaced dispatchEvent", async () => {
    const { socket, log, peer } = await open();
    socket.dispatchEvent = () => false;
    peer.sendText("a");
    await clock.run();
    expect(log).toEqual(["message 1 a"]);
  });
});

describe("message events", () => {
  async function receive(socket: WebSocket, send: () => void): Promise<MessageEvent> {
    const received = new Promise<MessageEvent>((resolve) => {
      socket.onmessage = resolve;
    });
    send();
    await clock.run();
    return received;
  }

  it("is a MessageEvent with the origin of the URL", async () => {
    const socket = new WebSocket("wss://user@test:444/path?query");
    const peer = establish();
    await clock.run();
    const event = await receive(socket, () => peer.sendText("\ufeffhé"));
    expect(event).toBeInstanceOf(MessageEvent);
    expect(event).toMatchObject({ type: "message", data: "\ufeffhé", origin: "wss://test:444", lastEventId: "" });
    expect(event).toMatchObject({ source: null, ports: [], bubbles: false, cancelable: false, target: socket });
    expect(Object.isFrozen(event.ports)).toBe(true);
    expect(Object.prototype.toString.call(event)).toBe("[object MessageEvent]");
  });

  it("holds a Blob by default", async () => {
    const { socket, peer } = await open();
    const event = await receive(socket, () => peer.sendBinary(Uint8Array.of(1, 2, 3)));
    expect(event.data).toBeInstanceOf(Blob);
    expect(event.data).toBe(event.data);
    expect([event.data.size, event.data.type]).toEqual([3, ""]);
    expect(new Uint8Array(await event.data.arrayBuffer())).toEqual(Uint8Array.of(1, 2, 3));
  });

  it.each([0, 1, 125, 126, 70_000])(
    "holds an exact ArrayBuffer of %d bytes with binaryType arraybuffer",
    async (length) => {
      const { socket, peer } = await open();
      socket.binaryType = "arraybuffer";
      const bytes = Uint8Array.from({ length }, (_, i) => i & 255);
      const event = await receive(socket, () => peer.sendBinary(bytes));
      expect(event.data).toBeInstanceOf(ArrayBuffer);
      expect(event.data).toBe(event.data);
      expect(new Uint8Array(event.data)).toEqual(bytes);
    },
  );

  it("decides by binaryType at dispatch", async () => {
    const { socket, peer } = await open();
    const types: string[] = [];
    socket.onmessage = ({ data }) => {
      types.push(Object.prototype.toString.call(data));
      socket.binaryType = "arraybuffer";
    };
    peer.sendBinary(Uint8Array.of(1));
    peer.sendBinary(Uint8Array.of(2));
    await clock.run();
    expect(types).toEqual(["[object Blob]", "[object ArrayBuffer]"]);
  });

  it("keeps what its data was when binaryType changes later", async () => {
    const { socket, peer } = await open();
    const event = await receive(socket, () => peer.sendBinary(Uint8Array.of(1)));
    socket.binaryType = "arraybuffer";
    expect(event.data).toBeInstanceOf(Blob);
  });

  it("binaryType ignores what is not of the enumeration (D-24)", async () => {
    const socket = new WebSocket("ws://test/");
    socket.binaryType = "arraybuffer";
    for (const value of ["Blob", "", "nodebuffer", null, 1]) socket.binaryType = value as "blob";
    expect(socket.binaryType).toBe("arraybuffer");
    expect(() => {
      socket.binaryType = Symbol("x") as unknown as "blob";
    }).toThrow(TypeError);
  });
});

describe("spec-digest 4.2 send()", () => {
  it("throws InvalidStateError in CONNECTING, after conversion", () => {
    const socket = new WebSocket("ws://test/");
    expect(() => socket.send("x")).toThrow(expect.objectContaining({ name: "InvalidStateError", code: 11 }));
    expect(() => socket.send(Symbol("x") as unknown as string)).toThrow(TypeError);
    expect(socket.bufferedAmount).toBe(0);
  });

  it.each<[string, unknown, number, string | number[]]>([
    ["text", "hé", 1, "hé"],
    ["an empty string", "", 1, ""],
    ["a lone surrogate as U+FFFD", "a\ud800b", 1, "a\ufffdb"],
    ["a number as text", 12, 1, "12"],
    ["null as text", null, 1, "null"],
    ["undefined as text", undefined, 1, "undefined"],
    ["an object as text", { toString: () => "obj" }, 1, "obj"],
    ["an ArrayBuffer", Uint8Array.of(1, 2).buffer, 2, [1, 2]],
    ["an empty ArrayBuffer", new ArrayBuffer(0), 2, []],
    ["a Uint8Array, only the view", Uint8Array.of(9, 1, 2, 9).subarray(1, 3), 2, [1, 2]],
    ["a DataView, only the view", new DataView(Uint8Array.of(9, 1, 2, 9).buffer, 1, 2), 2, [1, 2]],
    ["a Uint16Array", Uint16Array.of(0x0101), 2, [1, 1]],
    ["a Blob", new Blob(["a", Uint8Array.of(1)]), 2, [97, 1]],
    ["an empty Blob", new Blob([]), 2, []],
  ])("sends %s", async (_, data, opcode, expected) => {
    const { socket, peer } = await open();
    socket.send(data as string);
    await clock.run();
    const [frame] = peer.frames;
    expect(frame).toMatchObject({ isFin: true, opcode, isMasked: true });
    expect(typeof expected === "string" ? text(frame) : [...(frame?.payload ?? [])]).toEqual(expected);
  });

  it.each([
    ["a SharedArrayBuffer", () => new SharedArrayBuffer(1)],
    ["a view on a SharedArrayBuffer", () => new Uint8Array(new SharedArrayBuffer(1))],
    ["a resizable ArrayBuffer", () => Reflect.construct(ArrayBuffer, [1, { maxByteLength: 2 }])],
    [
      "a view on a resizable ArrayBuffer",
      () => new Uint8Array(Reflect.construct(ArrayBuffer, [1, { maxByteLength: 2 }])),
    ],
  ])("throws a TypeError for %s", async (_, create) => {
    const { socket, peer } = await open();
    expect(() => socket.send(create() as ArrayBuffer)).toThrow(TypeError);
    await clock.run();
    expect([socket.bufferedAmount, peer.frames]).toEqual([0, []]);
  });

  it("does not take an object for a Blob that only has its prototype", async () => {
    const { socket, peer } = await open();
    socket.send(Object.create(Blob.prototype));
    await clock.run();
    expect(text(peer.frames[0])).toBe("[object Blob]");
  });

  it("copies bytes: what the caller writes afterwards is not sent", async () => {
    const { socket, peer } = await open({}, { capacityBytes: 1024 });
    const large = new Uint8Array(300_000).fill(1);
    const small = Uint8Array.of(1, 1);
    socket.send(large);
    socket.send(small);
    large.fill(2);
    small.fill(2);
    await clock.run();
    expect(peer.frames.length).toBeGreaterThan(1);
    for (const { payload } of peer.frames) expect(payload.every((byte) => byte === 1)).toBe(true);
  });

  it("keeps the order when a Blob has to be read, and copies what waits behind it", async () => {
    const { socket, peer } = await open();
    const bytes = Uint8Array.of(1);
    socket.send("1");
    socket.send(new Blob(["2"]));
    socket.send("3");
    socket.send(bytes);
    socket.send(new Blob(["5"]));
    socket.send("6");
    bytes.fill(9);
    expect(socket.bufferedAmount).toBe(6);
    await clock.run();
    expect(peer.frames.map((frame) => text(frame))).toEqual(["1", "2", "3", "\u0001", "5", "6"]);
    expect(socket.bufferedAmount).toBe(0);
    socket.send("7");
    await clock.run();
    expect(text(peer.frames.at(-1))).toBe("7");
  });

  it("fails the connection when a Blob cannot be read", async () => {
    const { socket, log, peer } = await open();
    const errors: unknown[] = [];
    socket.onerror = (event) => errors.push((event as Event & { error?: Error }).error?.cause);
    const blob = new Blob(["x"]);
    const spy = vi.spyOn(Blob.prototype, "arrayBuffer").mockRejectedValue(new Error("the file has changed"));
    socket.send(blob);
    socket.send("behind");
    await clock.run();
    spy.mockRestore();
    expect(log).toEqual(["error 3", 'close 3 1006 "" false']);
    expect(errors).toEqual([new Error("the file has changed")]);
    expect(peer.framesOf(1)).toEqual([]);
    expect(peer.closes.map(([code]) => code)).toEqual([1011]);
    expect(socket.bufferedAmount).toBe(7);
  });

  it("fails the connection when maxBufferedBytes would be exceeded", async () => {
    const { socket, log } = await open({ maxBufferedBytes: 10 });
    socket.send("12345");
    socket.send("123456");
    expect(log).toEqual([]);
    await clock.run();
    expect(log).toEqual(["error 3", 'close 3 1006 "" false']);
  });
});

describe("spec-digest 4.3 bufferedAmount (D-25)", () => {
  it("counts payload bytes: UTF-8, the Blob's size, the view and not its buffer", async () => {
    const { socket } = await open();
    const amounts: number[] = [];
    const send = (data: string | ArrayBufferView<ArrayBuffer> | Blob): void => {
      socket.send(data);
      amounts.push(socket.bufferedAmount);
    };
    send("aé€😀");
    send("\ud800");
    send(new Uint8Array(new ArrayBuffer(100), 10, 5));
    send(new Blob(["123"]));
    expect(amounts).toEqual([10, 13, 18, 21]);
    await clock.run();
    expect(socket.bufferedAmount).toBe(0);
  });

  it("does not fall while a task runs, even though the system takes the bytes at once", async () => {
    const { socket, peer } = await open();
    socket.send(new Uint8Array(200_000));
    expect(socket.bufferedAmount).toBe(200_000);
    socket.close();
    expect(socket.bufferedAmount).toBe(200_000);
    await clock.run();
    expect(socket.bufferedAmount).toBe(0);
    expect(peer.closes).toEqual([[]]);
  });

  it("falls as the system takes bytes", async () => {
    const { socket, peer } = await open({}, { capacityBytes: 65_536 });
    peer.pause();
    socket.send(new Uint8Array(1_000_000));
    socket.send("x".repeat(1000));
    await clock.run();
    const stalled = socket.bufferedAmount;
    expect(stalled).toBeGreaterThan(800_000);
    expect(stalled).toBeLessThanOrEqual(1_001_000);
    peer.resume();
    await clock.run();
    expect(socket.bufferedAmount).toBe(0);
  });

  it("grows in CLOSING and in CLOSED, where nothing is sent and nothing throws", async () => {
    const { socket, peer } = await open();
    socket.close();
    socket.send("12");
    expect(socket.bufferedAmount).toBe(2);
    peer.sendClose();
    peer.end();
    await clock.run();
    expect(socket.readyState).toBe(3);
    expect(socket.bufferedAmount).toBe(2);
    socket.send(new Blob(["345"]));
    socket.send(Uint8Array.of(6));
    expect(socket.bufferedAmount).toBe(6);
    await clock.run();
    expect(socket.bufferedAmount).toBe(6);
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([8]);
  });

  it("is not reset when the connection closes before everything was sent", async () => {
    const { socket, log, peer } = await open({}, { capacityBytes: 1024 });
    peer.pause();
    socket.send(new Uint8Array(500_000));
    await clock.run();
    const before = socket.bufferedAmount;
    peer.destroy();
    await clock.run();
    expect(log).toEqual(["error 3", 'close 3 1006 "" false']);
    expect(socket.bufferedAmount).toBe(before);
  });

  it("counts what is sent behind a remote Close that no event has told of", async () => {
    const { socket, peer } = await open();
    socket.onmessage = () => socket.send("late");
    peer.sendText("a");
    peer.sendClose(1000);
    await clock.run();
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([8]);
    expect(socket.bufferedAmount).toBe(4);
  });
});

describe("spec-digest 4.5 close()", () => {
  it.each<[string, unknown[], number[]]>([
    ["without arguments: an empty body", [], []],
    ["with undefined: an empty body", [undefined, undefined], []],
    ["with a code: two bytes", [1000], [0x03, 0xe8]],
    ["with a code and an empty reason: two bytes", [3000, ""], [0x0b, 0xb8]],
    ["with code and reason", [4999, "é"], [0x13, 0x87, 0xc3, 0xa9]],
    ["with a reason and no code: 1000", [undefined, "x"], [0x03, 0xe8, 0x78]],
    ["with a code that rounds to 1000", [1000.5], [0x03, 0xe8]],
    ["with a string", ["3000"], [0x0b, 0xb8]],
    ["with a lone surrogate", [1000, "\ud800"], [0x03, 0xe8, 0xef, 0xbf, 0xbd]],
    ["with 123 bytes of reason", [1000, "x".repeat(123)], [0x03, 0xe8, ...Array(123).fill(0x78)]],
  ])("%s", async (_, args, body) => {
    const { socket, log, peer } = await open();
    socket.close(...(args as [number, string]));
    expect(socket.readyState).toBe(2);
    expect(log).toEqual([]);
    await clock.run();
    expect(peer.framesOf(8).map(({ payload }) => [...payload])).toEqual([body]);
  });

  it.each<[unknown, string]>([
    [0, "InvalidAccessError"],
    [null, "InvalidAccessError"],
    [Number.NaN, "InvalidAccessError"],
    [999, "InvalidAccessError"],
    [1001, "InvalidAccessError"],
    [1005, "InvalidAccessError"],
    [2999, "InvalidAccessError"],
    [5000, "InvalidAccessError"],
    [-1, "InvalidAccessError"],
    [65_536 + 1000, "InvalidAccessError"],
    [Number.POSITIVE_INFINITY, "InvalidAccessError"],
  ])("refuses the code %s in every state", async (code, name) => {
    const connecting = new WebSocket("ws://test/");
    const { socket, peer } = await open();
    const refuse = (target: WebSocket): void => {
      const { readyState } = target;
      expect(() => target.close(code as number)).toThrow(expect.objectContaining({ name }));
      expect(target.readyState).toBe(readyState);
    };
    refuse(connecting);
    refuse(socket);
    socket.close();
    refuse(socket);
    peer.sendClose();
    peer.end();
    await clock.run();
    refuse(socket);
  });

  it("refuses 124 bytes of reason with SyntaxError, after the code", async () => {
    const { socket } = await open();
    const reason = "é".repeat(62);
    expect(() => socket.close(1000, reason)).toThrow(expect.objectContaining({ name: "SyntaxError" }));
    expect(() => socket.close(undefined, reason)).toThrow(expect.objectContaining({ name: "SyntaxError" }));
    expect(() => socket.close(1, reason)).toThrow(expect.objectContaining({ name: "InvalidAccessError" }));
    expect(socket.readyState).toBe(1);
  });

  it("sends everything that send() took before the Close frame", async () => {
    const { socket, log, peer } = await open({}, { capacityBytes: 4096 });
    for (let i = 0; i < 20; i++) socket.send(new Uint8Array(100_000).fill(i));
    socket.send("last");
    socket.close(4001, "done");
    await clock.run();
    expect(peer.bytesReceived).toBeGreaterThan(2_000_000);
    expect(text(peer.framesOf(1)[0])).toBe("last");
    expect(peer.frames.at(-1)?.opcode).toBe(8);
    peer.sendClose(4001, "done");
    peer.end();
    await clock.run();
    expect(log).toEqual(['close 3 4001 "done" true']);
  });

  it("waits for Blobs that are being read, and for what is behind them", async () => {
    const { socket, log, peer } = await open();
    socket.send(new Blob(["blob"]));
    socket.send("behind");
    socket.close(4001);
    expect(socket.readyState).toBe(2);
    socket.send("too late");
    await clock.run();
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([2, 1, 8]);
    expect(socket.bufferedAmount).toBe(8);
    peer.sendClose(4001);
    peer.end();
    await clock.run();
    expect(log).toEqual(['close 3 4001 "" true']);
  });

  it("is not clean when the peer closes before a Blob is read, as the Blob and what is behind it are lost", async () => {
    const { socket, log, peer } = await open();
    const arrayBuffer = vi.spyOn(Blob.prototype, "arrayBuffer").mockReturnValue(new Promise(() => {}));
    socket.send(new Blob(["blob"]));
    socket.send("behind");
    peer.sendClose(4001, "bye");
    peer.end();
    await clock.run();
    arrayBuffer.mockRestore();
    expect(log).toEqual(['close 3 4001 "bye" false']);
    expect(socket.bufferedAmount).toBe(10);
  });

  it("fires no second error and close when it comes between the failure of the handshake and its events", async () => {
    const socket = new WebSocket("ws://test/");
    const log = record(socket);
    lastAttempt().observer.onFailed(new Error("refused"));
    socket.close();
    expect(socket.readyState).toBe(2);
    await clock.run();
    expect(log).toEqual(["error 3", 'close 3 1006 "" false']);
  });

  it("a second close() does nothing", async () => {
    const { socket, peer } = await open();
    socket.close(4001);
    socket.close(4002);
    await clock.run();
    expect(peer.closes).toEqual([[4001, ""]]);
  });

  it("reports the peer's code when both close at once", async () => {
    const { socket, log, peer } = await open();
    peer.sendClose(4222, "peer");
    socket.close(4111);
    await clock.run();
    peer.end();
    await clock.run();
    expect(log).toEqual(['close 3 4222 "peer" true']);
  });

  it("close() before the events of a remote Close drops the messages in front of it", async () => {
    const { socket, log, peer } = await open();
    socket.addEventListener("message", () => socket.close(4111), { once: true });
    peer.sendText("a");
    peer.sendText("b");
    peer.sendClose(4222);
    peer.end();
    await clock.run();
    expect(log).toEqual(["message 1 a", 'close 3 4222 "" true']);
  });

  it("a peer that never answers costs an error after the closing timer", async () => {
    const { socket, log } = await open({ closeTimeoutMs: 1000 });
    socket.close();
    await clock.advance(1000);
    expect(log).toEqual(["error 3", 'close 3 1006 "" false']);
  });
});

describe("awaitListeners", () => {
  function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
    let resolve!: () => void;
    let reject!: (error: Error) => void;
    const promise = new Promise<void>((fulfil, refuse) => {
      resolve = fulfil;
      reject = refuse;
    });
    return { promise, resolve, reject };
  }

  it.each(["onmessage", "addEventListener"])(
    "holds back the next message until the promise of %s settles",
    async (way) => {
      const { socket, log, peer } = await open({ awaitListeners: true });
      const gate = deferred();
      if (way === "onmessage") socket.onmessage = () => gate.promise;
      else socket.addEventListener("message", () => gate.promise);
      peer.sendText("a");
      peer.sendText("b");
      await clock.run();
      expect(log).toEqual(["message 1 a"]);
      gate.resolve();
      await clock.run();
      expect(log).toEqual(["message 1 a", "message 1 b"]);
    },
  );

  it("slows the peer down: what it sends stays in its transport", async () => {
    const { socket, peer } = await open({ awaitListeners: true }, { capacityBytes: 8192 });
    const gate = deferred();
    let count = 0;
    socket.onmessage = () => {
      count++;
      return gate.promise;
    };
    const peerTransportIsFull = (): boolean => unsentOf(peer) > 900_000;
    for (let i = 0; i < 100; i++) peer.sendBinary(new Uint8Array(10_000));
    await clock.run();
    expect(count).toBe(1);
    expect(peerTransportIsFull()).toBe(true);
    gate.resolve();
    await clock.run();
    expect(count).toBe(100);
    expect(unsentOf(peer)).toBe(0);
  });

  it("waits for all listeners, and for handleEvent of an object", async () => {
    const { socket, log, peer } = await open({ awaitListeners: true });
    const gates = [deferred(), deferred()];
    socket.addEventListener("message", () => gates[0]?.promise);
    socket.addEventListener("message", { handleEvent: () => gates[1]?.promise } as unknown as EventListenerObject);
    peer.sendText("a");
    peer.sendText("b");
    await clock.run();
    gates[1]?.resolve();
    await clock.run();
    expect(log).toEqual(["message 1 a"]);
    gates[0]?.resolve();
    await clock.run();
    expect(log).toEqual(["message 1 a", "message 1 b"]);
  });

  it("holds back the first message until the promises of open listeners settle", async () => {
    const socket = new WebSocket("ws://test/", { awaitListeners: true });
    const gate = deferred();
    socket.onopen = () => gate.promise;
    const log = record(socket);
    const peer = establish();
    peer.sendText("a");
    await clock.run();
    expect(log).toEqual(["open 1"]);
    gate.resolve();
    await clock.run();
    expect(log).toEqual(["open 1", "message 1 a"]);
  });

  it("goes on after a rejection, which is reported as ever", async () => {
    const { socket, log, peer } = await open({ awaitListeners: true });
    const reported: unknown[] = [];
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => reported.push(error));
    try {
      socket.addEventListener("message", async () => Promise.reject(new Error("no")), { once: true });
      peer.sendText("a");
      peer.sendText("b");
      await clock.run();
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of listeners) process.on("uncaughtException", listener);
    }
    expect(reported).toEqual([new Error("no")]);
    expect(log).toEqual(["message 1 a", "message 1 b"]);
  });

  it("close() works while a listener's promise is pending for ever", async () => {
    const { socket, log, peer } = await open({ awaitListeners: true });
    socket.onmessage = () => new Promise(() => {});
    peer.sendText("a");
    peer.sendText("b");
    await clock.run();
    socket.close(4001);
    peer.sendClose(4002);
    peer.end();
    await clock.run();
    expect(log).toEqual(["message 1 a", 'close 3 4002 "" true']);
    expect(peer.closes).toEqual([[4001, ""]]);
  });

  it("sees the peer's Close while a Blob is read before its own, whatever is unread", async () => {
    const { socket, log, peer } = await open({ awaitListeners: true });
    socket.onmessage = () => new Promise(() => {});
    const arrayBuffer = vi.spyOn(Blob.prototype, "arrayBuffer").mockReturnValue(new Promise(() => {}));
    peer.sendText("a");
    peer.sendText("b");
    await clock.run();
    socket.send(new Blob(["never read"]));
    socket.close(4001);
    peer.sendClose(4002);
    peer.end();
    await clock.run();
    arrayBuffer.mockRestore();
    // The Blob is lost.
    expect(log).toEqual(["message 1 a", 'close 3 4002 "" false']);
    expect(socket.bufferedAmount).toBe(10);
  });

  it("removes listeners that were added, and adds none twice", async () => {
    const { socket, log, peer } = await open({ awaitListeners: true });
    const listener = vi.fn();
    socket.addEventListener("message", listener);
    socket.addEventListener("message", listener);
    peer.sendText("a");
    await clock.run();
    expect(listener).toHaveBeenCalledTimes(1);
    expect(listener.mock.contexts).toEqual([socket]);
    socket.removeEventListener("message", listener);
    peer.sendText("b");
    await clock.run();
    expect(listener).toHaveBeenCalledTimes(1);
    expect(log).toEqual(["message 1 a", "message 1 b"]);
  });

  it("does not wait by default", async () => {
    const { socket, log, peer } = await open();
    socket.onmessage = () => new Promise(() => {});
    peer.sendText("a");
    peer.sendText("b");
    await clock.run();
    expect(log).toEqual(["message 1 a", "message 1 b"]);
  });
});

describe("ref() and unref()", () => {
  it("reach the transport, also when called before it is there", async () => {
    const setReferenced = vi.spyOn(MemoryTransport.prototype, "setReferenced");
    const socket = new WebSocket("ws://test/");
    expect(socket.unref()).toBe(socket);
    establish();
    expect(setReferenced.mock.calls).toEqual([[false]]);
    expect(socket.ref()).toBe(socket);
    expect(setReferenced.mock.calls).toEqual([[false], [true]]);
  });

  it("are found by process.ref() and process.unref()", () => {
    const prototype = WebSocket.prototype as unknown as Record<symbol, unknown>;
    expect(prototype[Symbol.for("nodejs.ref")]).toBe(WebSocket.prototype.ref);
    expect(prototype[Symbol.for("nodejs.unref")]).toBe(WebSocket.prototype.unref);
  });
});

/** Bytes that the peer has written and the socket's side has not taken. */
function unsentOf(peer: HostilePeer): number {
  return (transports.get(peer) as MemoryTransport).unsentBytes;
}
