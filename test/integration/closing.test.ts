import { afterEach, describe, expect, it } from "vitest";
import { WebSocketError } from "../../packages/sluice/src/streams/websocket-error.ts";
import { createHarness, type Harness, type HarnessOptions, type Role, reasonOf } from "../support/harness.ts";

const open: Harness[] = [];

async function harness(role: Role, options: HarnessOptions = {}): Promise<Harness> {
  const made = await createHarness("memory", { role, ...options });
  open.push(made);
  return made;
}

afterEach(async () => {
  for (const made of open.splice(0)) await made.dispose();
});

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error("The call must throw");
}

/** Whether our side has let go of the connection: a system answers what still comes with a reset. */
async function isGone({ peer, until }: Harness): Promise<boolean> {
  peer.sendText("anybody there?");
  await until(Promise.resolve());
  return peer.isClosed;
}

/** Answers our Close, and waits for the end. */
async function finish({ stream, peer, until }: Harness): Promise<unknown> {
  peer.sendClose();
  peer.end();
  return until(stream.closed);
}

describe("spec-digest 2.10 close using reason", () => {
  const reasons: [title: string, reason: unknown, close: readonly [] | readonly [number, string]][] = [
    ["undefined", undefined, []],
    ["null", null, []],
    ["a string", "text", []],
    ["an Error", new Error("text"), []],
    ["a plain object with the same members", { closeCode: 3333, reason: "r" }, []],
    [
      "a DOMException with the same members",
      Object.assign(new DOMException("", "WebSocketError"), { closeCode: 3333, reason: "r" }),
      [],
    ],
    ["a WebSocketError without anything", new WebSocketError("text"), []],
    ["a WebSocketError with a code", new WebSocketError("", { closeCode: 3333 }), [3333, ""]],
    ["a WebSocketError with code and reason", new WebSocketError("", { closeCode: 4999, reason: "é" }), [4999, "é"]],
    ["a WebSocketError with a reason", new WebSocketError("", { reason: "r" }), [1000, "r"]],
  ];

  it.each(reasons)("cancel() with %s", async (_, reason, close) => {
    const made = await harness("client");
    await made.until(made.readable.cancel(reason));
    await made.until(Promise.resolve());
    expect(made.peer.closes).toEqual([close]);
    expect(await finish(made)).toEqual({ closeCode: 1005, reason: "" });
  });

  it.each(reasons)("abort() with %s", async (_, reason, close) => {
    const made = await harness("client");
    const writer = made.writable.getWriter();
    await made.until(writer.abort(reason));
    await made.until(Promise.resolve());
    expect(made.peer.closes).toEqual([close]);
    expect(await finish(made)).toEqual({ closeCode: 1005, reason: "" });
    expect(await reasonOf(writer.closed)).toBe(reason);
  });

  it.each([
    [1005, []],
    [1001, []],
    [1011, []],
    [3000, [3000, "r"]],
  ] as const)("the error of a connection that ended uncleanly with %i, passed on by abort()", async (code, close) => {
    // What pipeTo() does when its source fails: it aborts its destination with the source's error.
    const from = await harness("client", { capacityBytes: 1_000 });
    from.peer.pause();
    const writing = reasonOf(from.writable.getWriter().write(new Uint8Array(200_000)));
    if (code === 1005) from.peer.sendClose();
    else from.peer.sendClose(code, "r");
    await from.until(Promise.resolve());
    from.peer.resume();
    await from.until(Promise.resolve());
    from.peer.end();
    expect(await from.until(writing)).toMatchObject({ name: "InvalidStateError" });
    const error = await from.until(reasonOf(from.stream.closed));
    expect(error).toMatchObject({ name: "WebSocketError", closeCode: code });
    const to = await harness("server");
    await to.until(to.writable.abort(error));
    await to.until(Promise.resolve());
    expect(to.peer.closes).toEqual([close]);
    expect(await finish(to)).toEqual({ closeCode: 1005, reason: "" });
  });
});

describe.each(["client", "server"] as const)("spec-digest 2.11 close(), as %s", (role) => {
  it.each([
    ["nothing", undefined, []],
    ["null", null, []],
    ["an empty object", {}, []],
    ["an empty reason", { reason: "" }, []],
    ["a reason alone", { reason: "r" }, [1000, "r"]],
    ["1000", { closeCode: 1000 }, [1000, ""]],
    ["3000", { closeCode: 3000 }, [3000, ""]],
    ["4999 and a reason of 123 bytes", { closeCode: 4999, reason: "é".repeat(61) }, [4999, "é".repeat(61)]],
    ["a lone surrogate", { closeCode: 3000, reason: "\ud800" }, [3000, "\ufffd"]],
    ["the name of an older draft", { code: 3000, reason: "" }, []],
  ])("sends %s", async (_, info, close) => {
    const made = await harness(role);
    made.stream.close(info as object);
    await made.until(Promise.resolve());
    expect(made.peer.closes).toEqual([close]);
    await finish(made);
  });

  it.each([
    ["124 bytes of reason", { reason: "é".repeat(62) }, "SyntaxError"],
    ["999", { closeCode: 999 }, "InvalidAccessError"],
    ["1001", { closeCode: 1001 }, "InvalidAccessError"],
    ["2999", { closeCode: 2999 }, "InvalidAccessError"],
    ["5000", { closeCode: 5000 }, "InvalidAccessError"],
    ["a bad code with a long reason", { closeCode: 1006, reason: "x".repeat(124) }, "InvalidAccessError"],
    ["true", true, "TypeError"],
    ["65536", { closeCode: 65536 }, "TypeError"],
  ])("throws for %s in OPEN, CLOSING and CLOSED, and closes nothing", async (_, info, name) => {
    const made = await harness(role);
    const { stream, peer, until } = made;
    expect(thrownBy(() => stream.close(info as object))).toMatchObject({ name });
    peer.sendFrame({ opcode: 9 });
    await until(Promise.resolve());
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([10]);
    stream.close();
    expect(thrownBy(() => stream.close(info as object))).toMatchObject({ name });
    await until(Promise.resolve());
    await finish(made);
    expect(thrownBy(() => stream.close(info as object))).toMatchObject({ name });
    expect(peer.closes).toEqual([[]]);
  });

  it("sends one Close, whatever is called behind it, and no data (C04)", async () => {
    const made = await harness(role);
    const { stream, peer, readable, writable, until } = made;
    const writer = writable.getWriter();
    stream.close({ closeCode: 4001 });
    stream.close({ closeCode: 4002 });
    const writing = reasonOf(writer.write("late"));
    await until(Promise.allSettled([writer.abort(new WebSocketError("", { closeCode: 4003 })), readable.cancel()]));
    expect(await writing).toMatchObject({ name: "InvalidStateError" });
    await until(Promise.resolve());
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([8]);
    expect(peer.closes).toEqual([[4001, ""]]);
    await finish(made);
    expect(peer.frames).toHaveLength(1);
  });
});

describe.each(["client", "server"] as const)("spec-digest 2.7 what the promises give, as %s", (role) => {
  it("opened: a plain object with own members in the order of the IDL, and the same promise each time", async () => {
    const { stream } = await harness(role);
    const info = await stream.opened;
    expect(Object.keys(info)).toEqual(["extensions", "protocol", "readable", "writable"]);
    expect(Object.getPrototypeOf(info)).toBe(Object.prototype);
    expect([info.extensions, info.protocol]).toEqual(["", ""]);
    expect(info.readable).toBeInstanceOf(ReadableStream);
    expect(info.writable).toBeInstanceOf(WritableStream);
    expect(stream.opened).toBe(stream.opened);
    expect(await stream.opened).toBe(info);
  });

  it("closed: a plain object with closeCode and reason in this order, and the same promise each time", async () => {
    const made = await harness(role);
    const { stream, peer, until } = made;
    const before = stream.closed;
    peer.sendClose(4000, "\ufeffBOM stays");
    await until(Promise.resolve());
    peer.end();
    const info = await until(stream.closed);
    expect(Object.keys(info)).toEqual(["closeCode", "reason"]);
    expect(Object.getPrototypeOf(info)).toBe(Object.prototype);
    expect(info.reason).toBe("\ufeffBOM stays");
    expect(stream.closed).toBe(before);
  });
});

describe("RFC 6455 §7.1.1 who ends TCP, and when", () => {
  it.each([
    ["the peer's Close came first", false],
    ["ours came first", true],
  ])("T01: the server at once after both Close frames, when %s", async (_, isOurs) => {
    const { stream, peer, until } = await harness("server");
    if (isOurs) {
      stream.close();
      await until(Promise.resolve());
      expect(peer.hasEnded).toBe(false);
    }
    peer.sendClose(1000);
    await until(Promise.resolve());
    expect(peer.hasEnded).toBe(true);
    expect(peer.framesOf(8)).toHaveLength(1);
  });

  it("T01: the server reads on and throws away what comes until the peer's FIN, for at most 2 s", async () => {
    const made = await harness("server");
    const { stream, peer, until, advance } = made;
    peer.sendClose(1000, "bye");
    for (let i = 0; i < 100; i++) peer.sendBinary(new Uint8Array(100_000));
    await until(Promise.resolve());
    await advance(1_999);
    expect(await isGone(made)).toBe(false);
    await advance(1);
    expect(await isGone(made)).toBe(true);
    expect(await until(stream.closed)).toEqual({ closeCode: 1000, reason: "bye" });
    expect(stream.metrics().messagesReceived).toBe(0);
  });

  it.each([
    ["the peer's Close came first", false],
    ["ours came first", true],
  ])("T02: the client waits for the server's FIN, at most 2 s, when %s", async (_, isOurs) => {
    const made = await harness("client");
    const { stream, peer, until, advance } = made;
    if (isOurs) {
      stream.close();
      await until(Promise.resolve());
    }
    peer.sendClose(1000);
    await until(Promise.resolve());
    await advance(1_999);
    expect([peer.hasEnded, await isGone(made)]).toEqual([false, false]);
    await advance(1);
    expect(await isGone(made)).toBe(true);
    expect(await until(stream.closed)).toEqual({ closeCode: 1000, reason: "" });
  });

  it("T02: the client ends its side as soon as the server has", async () => {
    const { stream, peer, until } = await harness("client");
    peer.sendClose(1000);
    peer.end();
    await until(Promise.resolve());
    expect(peer.hasEnded).toBe(true);
    expect(await until(stream.closed)).toEqual({ closeCode: 1000, reason: "" });
  });
});

describe.each(["client", "server"] as const)("RFC 6455 §7.1.7 _Fail the WebSocket Connection_, as %s", (role) => {
  it("T05: sends one Close, ends TCP, processes nothing more, and is destroyed after 2 s", async () => {
    const made = await harness(role);
    const { stream, peer, readable, until, advance } = made;
    const reading = reasonOf(readable.getReader().read());
    peer.sendFrame({ opcode: 3 });
    await until(Promise.resolve());
    // D-20: all is told at once, although the transport is still there.
    const error = await reasonOf(stream.closed);
    expect(error).toMatchObject({ closeCode: 1006, cause: { closeCode: 1002 } });
    expect(await reading).toBe(error);
    expect(peer.hasEnded).toBe(true);
    peer.sendFrame({ opcode: 9, payload: "no answer" });
    peer.sendClose(4000, "no answer");
    await until(Promise.resolve());
    await advance(1_999);
    expect(await isGone(made)).toBe(false);
    await advance(1);
    expect(await isGone(made)).toBe(true);
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([8]);
    expect(peer.closes).toMatchObject([[1002, expect.any(String)]]);
  });

  it("C08: TCP that ends in the middle of a message is 1006, and no Close is sent for it", async () => {
    const { stream, peer, until } = await harness(role);
    peer.sendFrame({ opcode: 1, isFin: false, payload: "part" });
    peer.end();
    expect(await until(reasonOf(stream.closed))).toMatchObject({ closeCode: 1006, reason: "" });
    expect(peer.closes).toEqual([]);
  });
});

describe("spec-digest 2.14 the closing timer", () => {
  it("gives the peer 30 s by default, and then 1006", async () => {
    const made = await harness("client");
    const { stream, until, advance } = made;
    stream.close();
    await until(Promise.resolve());
    await advance(29_999);
    expect(await isGone(made)).toBe(false);
    await advance(1);
    expect(await until(reasonOf(stream.closed))).toMatchObject({
      closeCode: 1006,
      cause: { code: "ERR_SLUICE_CLOSE_TIMEOUT", limit: "closeTimeoutMs" },
    });
    expect(await isGone(made)).toBe(true);
  });
});
