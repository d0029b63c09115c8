import { describe, expect, it, vi } from "vitest";
import { Connection } from "../../packages/sluice/src/connection/connection.ts";
import type { KeepaliveOptions } from "../../packages/sluice/src/index.ts";
import { WebSocket } from "../../packages/sluice/src/legacy/websocket.ts";
import type { ConnectObserver, ConnectOptions } from "../../packages/sluice/src/node/connect.ts";
import type { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { MemoryTransport } from "../../packages/sluice/src/testing/memory-transport.ts";
import { createPair, createStream } from "../../packages/sluice/src/testing/pair.ts";
import { VirtualClock } from "../../packages/sluice/src/testing/virtual-clock.ts";
import { withResolvers } from "../support/with-resolvers.ts";
import { createMessage, isMessage } from "./numbered-message.ts";
import { codeOf, expectFailure, readAll, reasonOf } from "./outcome.ts";
import { measureProcessMemory } from "./process-memory.ts";
import { ROLES, type Role } from "./stage.ts";

/*
 * Promise 4: a reader that stands still is not mistaken for a peer that is dead, nor the other way round. Five minutes of
 * silence in which both sides send heartbeats, on a virtual clock.
 */

const STALL_MS = 300_000;
const HEARTBEAT_MS = 10_000;
// A time that is over long before the stall is: whoever gets heartbeats has no reason to give up.
const KEEP_ALIVE: KeepaliveOptions = {
  intervalMs: HEARTBEAT_MS,
  timeoutMs: HEARTBEAT_MS,
  stalledTimeoutMs: 6 * HEARTBEAT_MS,
};
const options = { keepAlive: KEEP_ALIVE };
/** Far more than all queues in between take together. */
const COUNT = 100;

const otherOf = (role: Role): Role => (role === "server" ? "client" : "server");

/** The legacy class makes its own connection; here that is one over memory. */
const established = vi.hoisted(() => ({ next: null as null | ((observer: ConnectObserver) => void) }));
vi.mock("../../packages/sluice/src/node/connect.ts", async (importOriginal) => ({
  ...(await importOriginal<typeof import("../../packages/sluice/src/node/connect.ts")>()),
  connect(_: ConnectOptions, observer: ConnectObserver) {
    established.next?.(observer);
    return { abort() {} };
  },
}));

interface Writing {
  /** Messages whose `write()` has fulfilled. */
  readonly count: number;
  readonly ended: Promise<void>;
}

/** Writes all messages as fast as it is allowed to, then closes. */
function writeAll(stream: WebSocketStream): Writing {
  const writing = { count: 0, ended: Promise.resolve() };
  writing.ended = (async () => {
    const writer = (await stream.opened).writable.getWriter();
    for (; writing.count < COUNT; writing.count++) await writer.write(createMessage(writing.count));
  })();
  return writing;
}

/** Reads so many messages, and checks them. */
async function readNumbered(
  reader: ReadableStreamDefaultReader<string | Uint8Array>,
  from: number,
  to: number,
): Promise<void> {
  for (let number = from; number < to; number++) {
    const { value } = await reader.read();
    if (value === undefined || !isMessage(value, number)) throw new Error(`Message ${number} is damaged`);
  }
}

const heldBy = (stream: WebSocketStream): number => stream.metrics().heldBytesIn + stream.metrics().heldBytesOut;

/**
 * Lets the time of the stall go by. What is held must not change after the first heartbeats.
 *
 * @param holdsBytes asked at each heartbeat; a peer of ours sends its own then
 */
async function stall(clock: VirtualClock, holdsBytes: () => number): Promise<void> {
  holdsBytes();
  await clock.advance(2 * HEARTBEAT_MS);
  const [held, memory] = [holdsBytes(), await measureProcessMemory()];
  for (let passedMs = 2 * HEARTBEAT_MS; passedMs < STALL_MS; passedMs += HEARTBEAT_MS) {
    await clock.advance(HEARTBEAT_MS);
    expect(holdsBytes()).toBe(held);
  }
  expect((await measureProcessMemory()) - memory).toBeLessThan(524_288);
}

describe.each(ROLES)("a reader of our %s that stands still for five minutes", (role) => {
  it("lives, holds no more, and gets everything", async () => {
    const { clock, ...pair } = createPair({ client: options, server: options });
    const [receiver, sender] = [pair[role], pair[otherOf(role)]];
    const writing = writeAll(sender);
    const reader = (await receiver.opened).readable.getReader();
    const begun = readNumbered(reader, 0, 3);
    await clock.run();
    await begun;
    await stall(clock, () => heldBy(sender) + heldBy(receiver));
    expect(writing.count).toBeLessThan(20);
    expect(receiver.metrics().isInputPaused).toBe(true);
    // Its heartbeats go on, and show the other side that it is there.
    expect(receiver.metrics().pingsSent).toBeGreaterThanOrEqual(STALL_MS / HEARTBEAT_MS - 1);
    const reading = readNumbered(reader, 3, COUNT);
    await clock.run();
    await Promise.all([reading, writing.ended]);
    sender.close({ closeCode: 1000, reason: "done" });
    const ended = reader.read();
    await clock.run();
    expect(await ended).toEqual({ done: true, value: undefined });
    expect(await receiver.closed).toEqual({ closeCode: 1000, reason: "done" });
  });

  it("lives with the other one standing still too, each with as much to read as fits", async () => {
    const { clock, client, server } = createPair({ client: options, server: options });
    const writings = [writeAll(client), writeAll(server)];
    await stall(clock, () => heldBy(client) + heldBy(server));
    for (const { count } of writings) expect(count).toBeLessThan(20);
    const readers = await Promise.all([client, server].map(async ({ opened }) => (await opened).readable.getReader()));
    const readings = readers.map((reader) => readNumbered(reader, 0, COUNT));
    await clock.run();
    await Promise.all([...readings, ...writings.map(({ ended }) => ended)]);
    client.close();
    for (const reader of readers) void reader.read();
    await clock.run();
    expect(await server.closed).toEqual({ closeCode: 1005, reason: "" });
  });

  it("lives in front of a peer that sends a Ping every ten seconds, and more messages than there is room for", async () => {
    const { clock, stream, peer } = meet(role);
    const reader = (await stream.opened).readable.getReader();
    for (let number = 0; number < COUNT; number++) peer.sendBinary(createMessage(number));
    const begun = readNumbered(reader, 0, 3);
    await clock.run();
    await begun;
    let pings = 0;
    await stall(clock, () => {
      peer.sendFrame({ opcode: 9, payload: `ping ${++pings}` });
      return heldBy(stream);
    });
    // A Ping stands behind messages that nobody reads, so it is no wonder that no answer comes.
    expect(peer.framesOf(10)).toEqual([]);
    expect(stream.metrics().messagesReceived).toBeLessThan(10);
    const reading = readNumbered(reader, 3, COUNT);
    await clock.run();
    await reading;
    await clock.run();
    expect(Buffer.from(peer.framesOf(10).at(-1)?.payload ?? []).toString()).toBe(`ping ${pings}`);
    peer.sendClose(1000);
    peer.end();
    const ended = reader.read();
    await clock.run();
    expect(await ended).toEqual({ done: true, value: undefined });
    expect(await stream.closed).toEqual({ closeCode: 1000, reason: "" });
  });
});

describe.each(ROLES)("a writer of our %s", (role) => {
  it("waits five minutes for a peer that takes nothing but sends Pings: it is alive, and gets everything", async () => {
    const { clock, stream, peer } = meet(role);
    const writing = writeAll(stream);
    peer.pause();
    await stall(clock, () => {
      peer.sendFrame({ opcode: 9 });
      return heldBy(stream);
    });
    expect(writing.count).toBeLessThan(20);
    peer.resume();
    await clock.run();
    await writing.ended;
    await clock.run();
    const length = (number: number): number => createMessage(number).byteLength;
    const total = Array.from({ length: COUNT }, (_, number) => length(number)).reduce((sum, each) => sum + each, 0);
    const payloads = peer.frames.filter(({ opcode }) => opcode < 8).map(({ payload }) => payload);
    expect(Buffer.concat(payloads)).toHaveLength(total);
    expect(
      Buffer.concat(payloads).equals(Buffer.concat(Array.from({ length: COUNT }, (_, n) => createMessage(n)))),
    ).toBe(true);
    peer.destroy();
    await clock.run();
    await expectFailure({ stream }, /./);
  });

  it("does not wait for one that takes nothing and says nothing", async () => {
    const { clock, stream, peer } = meet(role);
    const writing = reasonOf(writeAll(stream).ended);
    peer.vanish();
    // The first look sees what went on before; then it is silent.
    await clock.advance(2 * HEARTBEAT_MS + (KEEP_ALIVE.stalledTimeoutMs as number));
    expect(codeOf(await writing)).toBe("ERR_SLUICE_PEER_STALLED");
    await expectFailure({ stream }, "ERR_SLUICE_PEER_STALLED");
  });
});

describe.each(ROLES)("a peer that is gone while the reader of our %s stands still", (role) => {
  it("looks paused itself, and is found dead when the reader has taken what came", async () => {
    const { clock, stream, peer } = meet(role);
    const reader = (await stream.opened).readable.getReader();
    for (let number = 0; number < 3; number++) peer.sendBinary(createMessage(number));
    await clock.run();
    peer.vanish();
    let isClosed = false;
    stream.closed.catch(() => {
      isClosed = true;
    });
    await stall(clock, () => heldBy(stream));
    expect(isClosed).toBe(false);
    const reading = readNumbered(reader, 0, 3);
    await clock.run();
    await reading;
    const next = reasonOf(reader.read());
    // The first look finds a reader that has just begun again; then a Ping, and its own time.
    await clock.advance(3 * HEARTBEAT_MS);
    await expectFailure({ stream }, "ERR_SLUICE_PEER_DEAD");
    expect(await next).toBe(await reasonOf(stream.closed));
  });

  it("is given up with the reader, if that may stand still for pausedTimeoutMs only", async () => {
    const { clock, stream, peer } = meet(role, { ...KEEP_ALIVE, pausedTimeoutMs: 60_000 });
    for (let number = 0; number < 3; number++) peer.sendBinary(createMessage(number));
    await clock.run();
    peer.vanish();
    await clock.advance(60_000 + 2 * HEARTBEAT_MS);
    await expectFailure({ stream }, "ERR_SLUICE_READER_PAUSED");
    const { error } = await readAll((await stream.opened).readable);
    expect(error).toBe(await reasonOf(stream.closed));
  });
});

describe("a listener of WebSocket with awaitListeners that takes five minutes", () => {
  it("lives, holds no more, and gets everything in order", async () => {
    const { clock, socket, transport } = createSocket();
    const sender = createStream(transport, { role: "server", clock, options });
    const writing = writeAll(sender);
    const { received, resume } = listen(socket);
    await clock.run();
    await stall(clock, () => heldBy(sender));
    expect(received).toEqual([0]);
    expect(writing.count).toBeLessThan(20);
    resume();
    while (received.length < COUNT) await clock.run();
    await writing.ended;
    expect(received).toEqual(Array.from({ length: COUNT }, (_, number) => number));
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve as never));
    sender.close({ closeCode: 4000, reason: "done" });
    await clock.run();
    expect(await closed).toMatchObject({ code: 4000, reason: "done", wasClean: true });
  });

  it("lives in front of a peer that sends Pings, and more messages than there is room for", async () => {
    const { clock, socket, transport } = createSocket();
    const peer = new HostilePeer(transport, "server");
    for (let number = 0; number < COUNT; number++) peer.sendBinary(createMessage(number));
    const { received, resume } = listen(socket);
    await clock.run();
    let pings = 0;
    const unread = (): number => transport.unsentBytes;
    await stall(clock, () => {
      peer.sendFrame({ opcode: 9, payload: `ping ${++pings}` });
      // What the socket does not take stays with the peer; each Ping has 6 bytes of frame and text at least.
      return unread() > 1_000_000 ? 1 : 0;
    });
    expect(unread()).toBeGreaterThan(1_000_000);
    expect(received).toEqual([0]);
    resume();
    while (received.length < COUNT) await clock.run();
    await clock.run();
    expect(Buffer.from(peer.framesOf(10).at(-1)?.payload ?? []).toString()).toBe(`ping ${pings}`);
    expect(received).toEqual(Array.from({ length: COUNT }, (_, number) => number));
    socket.close(1000);
    await clock.run();
    expect(peer.closes).toEqual([[1000, ""]]);
    peer.destroy();
    await clock.run();
  });
});

function meet(role: Role, keepAlive: KeepaliveOptions = KEEP_ALIVE) {
  const clock = new VirtualClock();
  const [transport, peerTransport] = MemoryTransport.pair(clock);
  const stream = createStream(transport, { role, clock, options: { keepAlive } });
  return { clock, stream, peer: new HostilePeer(peerTransport, otherOf(role)) };
}

/** An open WebSocket over memory, and the other end of it. */
function createSocket() {
  const clock = new VirtualClock();
  const [transport, peerTransport] = MemoryTransport.pair(clock);
  const connection = new Connection(transport, {
    role: "client",
    clock,
    fillRandom: (target) => void target.fill(7),
    tracksQueuedBytes: true,
    ...options,
  });
  established.next = (observer) => {
    const info = { protocol: "", extensions: "", head: new Uint8Array(0) };
    queueMicrotask(() => observer.onEstablished(connection, info));
  };
  const socket = new WebSocket("ws://memory/", { awaitListeners: true });
  socket.binaryType = "arraybuffer";
  return { clock, socket, transport: peerTransport };
}

/** Takes the first message and then nothing, until told to. */
function listen(socket: WebSocket): { readonly received: number[]; readonly resume: () => void } {
  const received: number[] = [];
  const resumed = withResolvers<void>();
  socket.addEventListener("message", async (event) => {
    const bytes = new Uint8Array((event as MessageEvent<ArrayBuffer>).data);
    received.push(isMessage(bytes, received.length) ? received.length : -1);
    await resumed.promise;
  });
  return { received, resume: resumed.resolve };
}
