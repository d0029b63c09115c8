import { afterEach, describe, expect, it, vi } from "vitest";
import type { ConnectObserver, ConnectOptions } from "#connect";
import { Connection } from "../connection/connection.ts";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { encodeFrame } from "../testing/wire-frame.ts";
import { WebSocketError } from "./websocket-error.ts";
import { WebSocketStream } from "./websocket-stream.ts";

/** What `connect` was asked for; the test decides what comes of it. */
interface Attempt {
  readonly options: ConnectOptions;
  readonly observer: ConnectObserver;
  isAborted: boolean;
}

const attempts: Attempt[] = vi.hoisted(() => []);

vi.mock("#connect", async () => ({
  addAbortListener: (await import("../node/abort-listener.ts")).addAbortListener,
  connect(options: ConnectOptions, observer: ConnectObserver) {
    const attempt = { options, observer, isAborted: false };
    attempts.push(attempt);
    return {
      abort: () => {
        attempt.isAborted = true;
      },
    };
  },
}));

afterEach(() => {
  attempts.length = 0;
});

/** Lets the last attempt succeed over memory. */
function establish(head: Uint8Array = new Uint8Array(0)): { clock: VirtualClock; peer: HostilePeer } {
  const clock = new VirtualClock();
  const [transport, peerTransport] = MemoryTransport.pair(clock);
  const connection = new Connection(transport, { role: "client", clock, fillRandom: (target) => void target.fill(7) });
  const info = { protocol: "chat", extensions: "", head: head.slice() };
  (attempts.at(-1) as Attempt).observer.onEstablished(connection, info);
  return { clock, peer: new HostilePeer(peerTransport, "server") };
}

function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error("The promise must reject");
    },
    (reason: unknown) => reason,
  );
}

async function expectFailed(stream: WebSocketStream, cause: unknown): Promise<void> {
  const opened = await reasonOf(stream.opened);
  const closed = await reasonOf(stream.closed);
  expect(opened).toBeInstanceOf(WebSocketError);
  expect(closed).toBeInstanceOf(WebSocketError);
  expect(opened).not.toBe(closed);
  expect(opened).toMatchObject({ closeCode: null, reason: "", cause });
  expect(closed).toMatchObject({ closeCode: 1006, reason: "", cause });
}

describe("spec-digest 2.16, CONNECTING, over memory", () => {
  it("row 1: the handshake fails", async () => {
    const stream = new WebSocketStream("ws://host/");
    const cause = new Error("no");
    (attempts[0] as Attempt).observer.onFailed(cause);
    await expectFailed(stream, cause);
    stream.close();
    await expectFailed(stream, cause);
  });

  it("row 2: the signal was aborted before: no attempt is made", async () => {
    const stream = new WebSocketStream("ws://host/", { signal: AbortSignal.abort("why") });
    expect(attempts).toEqual([]);
    expect([await reasonOf(stream.opened), await reasonOf(stream.closed)]).toEqual(["why", "why"]);
  });

  it("row 2: the signal aborts: both reject with its reason, the attempt is ended", async () => {
    const controller = new AbortController();
    const stream = new WebSocketStream("ws://host/", { signal: controller.signal });
    controller.abort("why");
    expect((attempts[0] as Attempt).isAborted).toBe(true);
    expect([await reasonOf(stream.opened), await reasonOf(stream.closed)]).toEqual(["why", "why"]);
  });

  it("row 3: close() ends the attempt; both reject, later", async () => {
    const stream = new WebSocketStream("ws://host/");
    let isSettled = false;
    stream.opened.catch(() => {
      isSettled = true;
    });
    stream.close({ closeCode: 1000 });
    expect((attempts[0] as Attempt).isAborted).toBe(true);
    for (let i = 0; i < 10; i++) await null;
    expect(isSettled).toBe(false);
    await expectFailed(stream, expect.any(Error));
  });

  it.each<[string, (stream: WebSocketStream, controller: AbortController) => void]>([
    ["close()", (stream) => stream.close()],
    ["the signal", (_, controller) => controller.abort("why")],
  ])("a response that comes behind %s: the connection is dropped, nothing opens", async (_, end) => {
    const controller = new AbortController();
    const stream = new WebSocketStream("ws://host/", { signal: controller.signal });
    end(stream, controller);
    const { clock, peer } = establish();
    await clock.run();
    expect(peer.hasEnded || peer.isClosed).toBe(true);
    expect(peer.frames).toEqual([]);
    await reasonOf(stream.opened);
    await reasonOf(stream.closed);
  });

  it("101: fulfils opened with the streams and what was negotiated; the signal has no effect any more", async () => {
    const controller = new AbortController();
    const stream = new WebSocketStream("ws://host/", { signal: controller.signal, protocols: ["chat"] });
    const { clock, peer } = establish();
    controller.abort("too late");
    const info = await stream.opened;
    expect(Object.keys(info)).toEqual(["extensions", "protocol", "readable", "writable"]);
    expect([info.extensions, info.protocol]).toEqual(["", "chat"]);
    await info.writable.getWriter().write("open");
    await clock.run();
    expect(peer.framesOf(1)).toHaveLength(1);
    expect((attempts[0] as Attempt).isAborted).toBe(false);
  });

  it("frames in the handshake's packet are handled after the reactions to opened", async () => {
    const stream = new WebSocketStream("ws://host/");
    const head = encodeFrame({ opcode: 8, payload: Uint8Array.of(0x03, 0xe8) }, false);
    const { clock, peer } = establish(head);
    const order: string[] = [];
    stream.opened.then(({ writable }) => {
      const writer = writable.getWriter();
      order.push("opened");
      writer.ready.then(() => order.push("ready"));
      writer.closed.catch(() => order.push("writable errored"));
    });
    await clock.run();
    peer.end();
    await clock.run();
    expect(await stream.closed).toEqual({ closeCode: 1000, reason: "" });
    expect(order).toEqual(["opened", "ready", "writable errored"]);
  });
});
