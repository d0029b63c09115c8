import { afterEach, describe, expect, it } from "vitest";
import { WebSocketError } from "../../packages/sluice/src/streams/websocket-error.ts";
import {
  createHarness,
  type Harness,
  type HarnessOptions,
  type Medium,
  type Role,
  reasonOf,
} from "../support/harness.ts";

const open: Harness[] = [];

async function harness(medium: Medium, role: Role, options: HarnessOptions = {}): Promise<Harness> {
  const made = await createHarness(medium, { role, ...options });
  open.push(made);
  return made;
}

afterEach(async () => {
  for (const made of open.splice(0)) await made.dispose();
});

function expectInvalidState(reason: unknown): void {
  expect(reason).toBeInstanceOf(DOMException);
  expect(reason).not.toBeInstanceOf(WebSocketError);
  expect((reason as DOMException).name).toBe("InvalidStateError");
}

function expectWebSocketError(reason: unknown, closeCode: number | null, text: string = ""): void {
  expect(reason).toBeInstanceOf(WebSocketError);
  expect((reason as WebSocketError).closeCode).toBe(closeCode);
  expect((reason as WebSocketError).reason).toBe(text);
}

/** More than any kernel takes without a reader on loopback. */
const HUGE = new Uint8Array(20_000_000);

describe.each([
  ["memory", "client"],
  ["memory", "server"],
  ["tcp", "client"],
  ["tcp", "server"],
] as const)("spec-digest 2.16 outcomes over %s as %s", (medium, role) => {
  it("row 4: the peer closes while idle", async () => {
    const { stream, peer, readable, writable, until, untilTrue } = await harness(medium, role);
    const writer = writable.getWriter();
    const reading = readable.getReader().read();
    peer.sendClose(4000, "bye");
    await untilTrue(() => peer.framesOf(8).length === 1);
    expect(peer.closes).toEqual([[4000, "bye"]]);
    peer.end();
    expect(await until(stream.closed)).toEqual({ closeCode: 4000, reason: "bye" });
    expect(await until(reading)).toEqual({ value: undefined, done: true });
    expectInvalidState(await reasonOf(until(writer.ready)));
    expect(await reasonOf(writer.write("late"))).toBe(await reasonOf(writer.closed));
  });

  it("row 4: a Close without a body gives 1005 and is echoed without one", async () => {
    const { stream, peer, until, untilTrue } = await harness(medium, role);
    peer.sendClose();
    await untilTrue(() => peer.framesOf(8).length === 1);
    expect(peer.closes).toEqual([[]]);
    peer.end();
    expect(await until(stream.closed)).toEqual({ closeCode: 1005, reason: "" });
  });

  it("row 5: the peer closes behind unread messages; all are delivered first", async () => {
    const { stream, peer, readable, writable, until, untilTrue } = await harness(medium, role);
    for (let i = 0; i < 10; i++) peer.sendText(`message ${i}`);
    peer.sendClose(1000, "done");
    const reader = readable.getReader();
    const writer = writable.getWriter();
    for (let i = 0; i < 9; i++) {
      expect(await until(reader.read())).toEqual({ value: `message ${i}`, done: false });
      if (i === 4) await until(writer.write("sent meanwhile"));
    }
    expect(await until(reader.read())).toEqual({ value: "message 9", done: false });
    await untilTrue(() => peer.framesOf(8).length === 1);
    expect(peer.framesOf(1)).toHaveLength(1);
    peer.end();
    expect(await until(reader.read())).toEqual({ value: undefined, done: true });
    expect(await until(stream.closed)).toEqual({ closeCode: 1000, reason: "done" });
    expectInvalidState(await reasonOf(writer.write("late")));
  });

  it("row 5: the messages are kept when the connection has ended before they are read", async () => {
    const { stream, peer, readable, until } = await harness(medium, role);
    for (let i = 0; i < 10; i++) peer.sendText(`message ${i}`);
    peer.sendClose(1000, "done");
    peer.end();
    const received: unknown[] = [];
    const reader = readable.getReader();
    for (let next = await until(reader.read()); !next.done; next = await until(reader.read()))
      received.push(next.value);
    expect(received).toEqual(Array.from({ length: 10 }, (_, i) => `message ${i}`));
    expect(await until(stream.closed)).toEqual({ closeCode: 1000, reason: "done" });
  });

  it("row 6: the peer closes while a write is in flight", async () => {
    const { stream, peer, readable, writable, until, untilTrue } = await harness(medium, role);
    peer.pause();
    const writer = writable.getWriter();
    const writing = reasonOf(writer.write(HUGE));
    const queued = reasonOf(writer.write("queued"));
    const reading = reasonOf(readable.getReader().read());
    await until(Promise.resolve());
    peer.sendClose(4567, "enough");
    expectInvalidState(await until(reasonOf(writer.ready)));
    peer.resume();
    await untilTrue(() => peer.framesOf(8).length === 1);
    peer.end();
    const reason = await until(reasonOf(stream.closed));
    expectWebSocketError(reason, 4567, "enough");
    const writeReason = await writing;
    expectInvalidState(writeReason);
    expect(await queued).toBe(writeReason);
    expect(await reasonOf(writer.write("late"))).toBe(writeReason);
    expect(await reading).toBe(reason);
    expect(peer.closes).toEqual([[4567, "enough"]]);
  });

  it("row 7: close(info) finishes the current message and rejects the queue", async () => {
    const { stream, peer, readable, writable, until, untilTrue } = await harness(medium, role);
    peer.pause();
    const writer = writable.getWriter();
    const current = writer.write(HUGE);
    const queued = [reasonOf(writer.write("a")), reasonOf(writer.write("b")), reasonOf(writer.close())];
    peer.sendText("queued chunk");
    await until(Promise.resolve());
    if (medium === "tcp") await untilTrue(() => stream.metrics().messagesReceived === 1);
    stream.close({ closeCode: 4111, reason: "mine" });
    expectInvalidState(await until(reasonOf(writer.ready)));
    peer.resume();
    expect(await until(current)).toBeUndefined();
    // Streams rejects what is queued once the write in flight has settled.
    for (const promise of queued) expectInvalidState(await until(promise));
    await untilTrue(() => peer.framesOf(8).length === 1);
    const length = peer.frames.slice(0, -1).reduce((sum, frame) => sum + frame.payload.byteLength, 0);
    expect(length).toBe(HUGE.byteLength);
    expect(peer.closes).toEqual([[4111, "mine"]]);
    peer.sendText("dropped");
    peer.sendClose(4222, "theirs");
    peer.end();
    expect(await until(stream.closed)).toEqual({ closeCode: 4222, reason: "theirs" });
    const reader = readable.getReader();
    expect(await until(reader.read())).toEqual({ value: "queued chunk", done: false });
    expect(await until(reader.read())).toEqual({ value: undefined, done: true });
    expectInvalidState(await reasonOf(writer.closed));
  });

  it("row 8: writer.close() sends everything, then an empty Close, and fulfils at the end", async () => {
    const { stream, peer, writable, until, untilTrue } = await harness(medium, role);
    const writer = writable.getWriter();
    const writes = [writer.write("a"), writer.write("b"), writer.write("c")];
    let hasClosed = false;
    const closing = writer.close().then(() => {
      hasClosed = true;
    });
    await until(Promise.all(writes));
    await untilTrue(() => peer.framesOf(8).length === 1);
    expect(peer.frames.map((frame) => frame.opcode)).toEqual([1, 1, 1, 8]);
    expect(peer.closes).toEqual([[]]);
    expect(hasClosed).toBe(false);
    peer.sendClose();
    peer.end();
    await until(closing);
    expect(await until(stream.closed)).toEqual({ closeCode: 1005, reason: "" });
    expect(await outcome(writer.closed)).toBe("fulfilled");
  });

  it("row 9: after writer.close() the peer ends TCP without a Close", async () => {
    const { stream, peer, readable, writable, until, untilTrue } = await harness(medium, role);
    const writer = writable.getWriter();
    const closing = reasonOf(writer.close());
    const reading = reasonOf(readable.getReader().read());
    await untilTrue(() => peer.framesOf(8).length === 1);
    peer.end();
    const reason = await until(reasonOf(stream.closed));
    expectWebSocketError(reason, 1006);
    expect(await closing).toBe(reason);
    expect(await reading).toBe(reason);
  });

  it("row 10: writer.abort() cuts the message in flight and rejects at once", async () => {
    const { stream, peer, readable, writable, until, untilTrue } = await harness(medium, role);
    peer.pause();
    const writer = writable.getWriter();
    const writing = reasonOf(writer.write(HUGE));
    const queued = reasonOf(writer.write("queued"));
    await until(Promise.resolve());
    const error = new WebSocketError("", { closeCode: 3333, reason: "why" });
    const aborting = writer.abort(error);
    expect(await writing).toBe(error);
    expect(await queued).toBe(error);
    await until(aborting);
    peer.resume();
    await untilTrue(() => peer.framesOf(8).length === 1);
    expect(peer.closes).toEqual([[3333, "why"]]);
    expect(peer.bytesReceived).toBeLessThan(HUGE.byteLength);
    peer.sendClose(3333, "why");
    peer.end();
    expect(await until(stream.closed)).toEqual({ closeCode: 3333, reason: "why" });
    expect(await reasonOf(writer.closed)).toBe(error);
    expect(await until(readable.getReader().read())).toEqual({ value: undefined, done: true });
  });

  it("row 11: reader.cancel() completes the message in flight and starts the close", async () => {
    const { stream, peer, readable, writable, until, untilTrue } = await harness(medium, role);
    const writer = writable.getWriter();
    peer.pause();
    const writing = writer.write(HUGE);
    const queued = reasonOf(writer.write("queued"));
    await until(Promise.resolve());
    const reader = readable.getReader();
    await until(reader.cancel(new WebSocketError("", { reason: "no more" })));
    await until(reader.closed);
    expectInvalidState(await until(reasonOf(writer.ready)));
    peer.resume();
    await until(writing);
    expectInvalidState(await until(queued));
    await untilTrue(() => peer.framesOf(8).length === 1);
    expect(peer.closes).toEqual([[1000, "no more"]]);
    peer.sendText("dropped");
    peer.sendClose(1000, "fine");
    peer.end();
    expect(await until(stream.closed)).toEqual({ closeCode: 1000, reason: "fine" });
    expectInvalidState(await reasonOf(writer.closed));
  });

  it("row 12: the connection is lost; one error object everywhere", async () => {
    const { stream, peer, readable, writable, until, reset } = await harness(medium, role);
    const writer = writable.getWriter();
    const reading = reasonOf(readable.getReader().read());
    peer.pause();
    const writing = reasonOf(writer.write(HUGE));
    const queued = reasonOf(writer.write("queued"));
    await until(Promise.resolve());
    reset();
    const reason = await until(reasonOf(stream.closed));
    expectWebSocketError(reason, 1006);
    expect((reason as Error).cause).toBeInstanceOf(Error);
    expect(await reading).toBe(reason);
    expect(await writing).toBe(reason);
    expect(await queued).toBe(reason);
    expect(await reasonOf(writer.ready)).toBe(reason);
    expect(await reasonOf(writer.closed)).toBe(reason);
  });

  it("row 12: the peer ends TCP without a Close", async () => {
    const { stream, peer, readable, writable, until } = await harness(medium, role);
    const reading = reasonOf(readable.getReader().read());
    peer.end();
    const reason = await until(reasonOf(stream.closed));
    expectWebSocketError(reason, 1006);
    expect(await reading).toBe(reason);
    expect(await reasonOf(writable.getWriter().ready)).toBe(reason);
  });

  it.each([
    ["an unknown opcode", [0x83, 0x00], 1002],
    ["a stray continuation", [0x80, 0x00], 1002],
    ["RSV1 without an extension", [0xc1, 0x00], 1002],
    ["a close code that may not be sent", [0x88, 0x02, 0x03, 0xed], 1002],
    ["a message over its limit", [0x82, 0x7e, 0x04, 0x01], 1009],
  ])("row 13: %s fails the connection", async (_, unmasked, closeCode) => {
    const { stream, peer, readable, writable, until, untilTrue } = await harness(medium, role, {
      maxMessageBytes: 1024,
    });
    const writer = writable.getWriter();
    const reading = reasonOf(readable.getReader().read());
    peer.send(role === "client" ? unmasked : mask(unmasked));
    const reason = await until(reasonOf(stream.closed));
    expectWebSocketError(reason, 1006);
    expect((reason as Error).cause).toMatchObject({ name: "ProtocolError", closeCode });
    expect(await reading).toBe(reason);
    expect(await reasonOf(writer.write("late"))).toBe(reason);
    await untilTrue(() => peer.hasEnded);
    expect(peer.closes.map(([code]) => code)).toEqual([closeCode]);
  });

  it("row 13: bad UTF-8 fails with 1007", async () => {
    const { stream, peer, until, untilTrue } = await harness(medium, role);
    peer.sendFrame({ opcode: 1, payload: Uint8Array.of(0xff) });
    expectWebSocketError(await until(reasonOf(stream.closed)), 1006);
    await untilTrue(() => peer.hasEnded);
    expect(peer.closes.map(([code]) => code)).toEqual([1007]);
  });

  it("row 14: the closing timer ends a handshake that the peer does not answer", async () => {
    const { stream, readable, writable, until, advance } = await harness(medium, role, { closeTimeoutMs: 50 });
    const writer = writable.getWriter();
    const reading = reasonOf(readable.getReader().read());
    const closing = reasonOf(writer.close());
    await until(Promise.resolve());
    await advance(50);
    const reason = await until(reasonOf(stream.closed));
    expectWebSocketError(reason, 1006);
    expect(await closing).toBe(reason);
    expect(await reading).toBe(reason);
  });

  it("row 15: a chunk that does not convert errors the writable and leaves the connection open", async () => {
    const { stream, peer, readable, writable, until, untilTrue } = await harness(medium, role);
    const writer = writable.getWriter();
    const bad = reasonOf(writer.write(Symbol("x") as unknown as string));
    const queued = reasonOf(writer.write("queued"));
    const reason = await until(bad);
    expect(reason).toBeInstanceOf(TypeError);
    expect(await queued).toBe(reason);
    peer.sendText("still here");
    expect(await until(readable.getReader().read())).toEqual({ value: "still here", done: false });
    stream.close();
    await untilTrue(() => peer.framesOf(8).length === 1);
    peer.sendClose();
    peer.end();
    expect(await until(stream.closed)).toEqual({ closeCode: 1005, reason: "" });
  });

  it("both sides close at once: the peer's code wins (C07)", async () => {
    const { stream, peer, until, untilTrue } = await harness(medium, role);
    stream.close({ closeCode: 4111 });
    peer.sendClose(4222);
    await untilTrue(() => peer.framesOf(8).length === 1);
    peer.end();
    expect(await until(stream.closed)).toEqual({ closeCode: 4222, reason: "" });
    expect(peer.closes).toEqual([[4111, ""]]);
  });

  it("answers a Ping between its own Close and the peer's (P01)", async () => {
    const { stream, peer, until, untilTrue } = await harness(medium, role);
    stream.close();
    await untilTrue(() => peer.framesOf(8).length === 1);
    peer.sendFrame({ opcode: 9, payload: "still there?" });
    await untilTrue(() => peer.framesOf(10).length === 1);
    expect(peer.framesOf(10)[0]?.payload).toEqual(new TextEncoder().encode("still there?"));
    peer.sendClose();
    peer.end();
    expect(await until(stream.closed)).toEqual({ closeCode: 1005, reason: "" });
  });

  it("closed settles although nobody reads the one chunk in front of the Close (R4)", async () => {
    const { stream, peer, readable, until } = await harness(medium, role);
    peer.sendText("only");
    peer.sendClose(1000);
    peer.end();
    expect(await until(stream.closed)).toEqual({ closeCode: 1000, reason: "" });
    expect(await until(readable.getReader().read())).toEqual({ value: "only", done: false });
  });

  it("close() settles closed with much unread data in front of the peer's Close (R8)", async () => {
    const { stream, peer, until, untilTrue } = await harness(medium, role);
    for (let i = 0; i < 20; i++) peer.sendBinary(new Uint8Array(100_000));
    await until(Promise.resolve());
    stream.close({ closeCode: 1000 });
    await untilTrue(() => peer.framesOf(8).length === 1);
    peer.sendClose(1000, "ok");
    peer.end();
    expect(await until(stream.closed)).toEqual({ closeCode: 1000, reason: "ok" });
  });

  it("an engine-made error given to abort() closes without a code (2.10)", async () => {
    const lost = await harness(medium, role);
    lost.reset();
    const reason = await lost.until(reasonOf(lost.stream.closed));
    const { stream, peer, writable, until, untilTrue } = await harness(medium, role);
    await until(writable.abort(reason));
    await untilTrue(() => peer.framesOf(8).length === 1);
    expect(peer.closes).toEqual([[]]);
    peer.sendClose();
    peer.end();
    expect(await until(stream.closed)).toEqual({ closeCode: 1005, reason: "" });
  });
});

async function outcome(promise: Promise<unknown>): Promise<"fulfilled" | "rejected"> {
  return promise.then(
    () => "fulfilled",
    () => "rejected",
  );
}

/** The same frame as a client sends it, with a key of zeros. */
function mask(frame: readonly number[]): number[] {
  const headerLength = frame[1] === 0x7e ? 4 : 2;
  const header = frame.slice(0, headerLength);
  header[1] = (header[1] as number) | 0x80;
  return [...header, 0, 0, 0, 0, ...frame.slice(headerLength)];
}
