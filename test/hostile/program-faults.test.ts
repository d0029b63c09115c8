import { describe, expect, it } from "vitest";
import { serve } from "../../packages/sluice/src/server.ts";
import type { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { connectHostile } from "../../packages/sluice/src/testing/hostile-client.ts";
import type { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { createScope } from "../support/scope.ts";
import { readAll, reasonOf } from "./outcome.ts";
import { createStage, ROLES, turn, withField } from "./stage.ts";

/*
 * A fault in a program that a peer can bring about must not leave the peer's own connection: the process goes on, and so do all
 * others. `JSON.parse` of what a peer sent is what programs throw around, knowing it or not.
 */

/** What is hard to print, to compare or to look at. */
const THROWN: readonly (readonly [name: string, create: () => unknown])[] = [
  ["an Error", () => new Error("fault")],
  ["undefined", () => undefined],
  ["null", () => null],
  ["a string", () => "fault"],
  ["a symbol", () => Symbol("fault")],
  ["an object that is no Error", () => JSON.parse('{"message":1,"stack":2,"name":3,"cause":4}')],
  ["an object that is no string", () => JSON.parse('{"toString":1,"valueOf":1}')],
  ["an object without a prototype", () => Object.create(null)],
  [
    "an Error whose fields throw",
    () => {
      const thrower = {
        get: () => {
          throw new Error("a getter's own");
        },
      };
      const error = new Error("fault");
      // It is made when it is first asked for.
      void error.stack;
      return Object.defineProperties(error, { message: thrower, stack: thrower, cause: thrower });
    },
  ],
  [
    "a proxy that lets nobody look at it",
    () => {
      const refuse = (): never => {
        throw new Error("a proxy's own");
      };
      return new Proxy(new Error("fault"), { get: refuse, getPrototypeOf: refuse, has: refuse, ownKeys: refuse });
    },
  ],
  [
    "a thenable that never settles",
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what this is about
      then: () => {},
    }),
  ],
];

const fault = new Error("A fault of the program");
const throws = (): never => {
  throw fault;
};
const settings = new Map<string, () => unknown>();
const stage = createStage(
  {
    protocols: (offered) => (offered.includes("fault") ? throws() : undefined),
    origins: (origin) => (origin.includes("fault") ? throws() : true),
  },
  (request) => settings.get(new URL(request.url ?? "", "http://x").pathname)?.() as undefined,
);
const use = createScope();

/** It is told that something is wrong, and nothing else. */
async function expectBroken(peer: HostilePeer): Promise<void> {
  await peer.until(() => peer.closes.length > 0);
  expect(peer.closes).toEqual([[1011, ""]]);
  peer.sendClose(1011);
  await peer.until(() => peer.hasEnded);
  peer.end();
}

describe("a handler of ours that throws what a peer made it throw", () => {
  it.each(THROWN)("%s: 1011 without a word, and onError has it", async (_, create) => {
    const thrown = create();
    const client = stage.expectClient({}, async (stream: WebSocketStream) => {
      if ((await (await stream.opened).readable.getReader().read()).value === "now") throw thrown;
    });
    const peer = await stage.connect({ url: client.url });
    peer.sendText("now");
    await expectBroken(peer);
    const { closeCode } = await (await client.stream).closed;
    expect(closeCode).toBe(1011);
    const complaints = stage.takeComplaints();
    expect(complaints.length).toBe(1);
    // No matcher may look inside.
    expect(Object.is(complaints[0], thrown)).toBe(true);
  });

  it.each(THROWN)("%s: a warning without onError, and no end of the process", async (_, create) => {
    const server = use(
      await serve({ port: 0, host: "127.0.0.1" }, () => {
        throw create();
      }),
    );
    const peer = use(await connectHostile((await server.listening).url));
    await expectBroken(peer);
    await turn();
    await turn();
    expect(stage.takeComplaints()).toEqual([
      expect.objectContaining({ name: "SluiceWarning", code: "SLUICE_SERVER_ERROR" }),
    ]);
  });

  it.each(THROWN)("%s, by onError itself: a warning of that", async (_, create) => {
    const onError = (): never => {
      throw create();
    };
    const server = use(await serve({ port: 0, host: "127.0.0.1", onError }, throws));
    const peer = use(await connectHostile((await server.listening).url));
    await expectBroken(peer);
    await turn();
    await turn();
    expect(stage.takeComplaints()).toEqual([
      expect.objectContaining({ name: "SluiceWarning", code: "SLUICE_SERVER_ERROR" }),
    ]);
  });
});

/** What an `upgrade` hook may do wrong. */
const HOOKS: readonly (readonly [name: string, hook: () => unknown])[] = [
  ["throws", throws],
  ["rejects", () => Promise.reject(fault)],
  ["rejects with an object that is no string", () => Promise.reject(JSON.parse('{"toString":1}'))],
  ["returns a number", () => 5],
  ["returns a string", () => "no"],
  ["returns limits of the wrong kind", () => ({ maxMessageBytes: "1" })],
  ["returns limits out of their range", () => ({ maxMessageBytes: -1 })],
  ["returns a strategy that is none", () => ({ readableStrategy: { size: 5 } })],
  ["returns a subprotocol that was not offered", () => ({ protocol: "x" })],
  ["returns fields that it must not set", () => ({ headers: { "Sec-WebSocket-Accept": "x" } })],
  ["returns fields that are none", () => ({ headers: { "a b": "x" } })],
  [
    "returns an object whose fields throw",
    () => ({
      get protocol() {
        return throws();
      },
    }),
  ],
  ["returns a Response whose body fails", () => new Response(new ReadableStream({ start: (it) => it.error(fault) }))],
  ["returns a Response whose body throws", () => new Response(new ReadableStream({ pull: throws }), { status: 403 })],
  [
    "returns a Response whose body was read",
    () => {
      const response = new Response("x", { status: 403 });
      void response.text();
      return response;
    },
  ],
];

describe("a hook of ours that fails", () => {
  it.each(HOOKS)("it %s: 500 without detail, and onError has it", async (name, hook) => {
    const path = `/${encodeURIComponent(name)}`;
    settings.set(path, hook);
    const peer = await stage.connect({ request: (legal) => legal.replace(" / ", ` ${path} `) });
    expect(peer.statusCode).toBe(500);
    await peer.until(() => peer.hasEnded);
    expect(Buffer.from(peer.rest).toString()).not.toContain("fault");
    expect(stage.takeComplaints()).toHaveLength(1);
  });

  it.each([
    ["protocols", "Sec-WebSocket-Protocol: fault"],
    ["origins", "Origin: http://fault.example"],
  ])("%s throws: 500", async (_, field) => {
    const peer = await stage.connect({ request: (legal) => withField(legal, field) });
    expect(peer.statusCode).toBe(500);
    expect(stage.takeComplaints()).toEqual([fault]);
  });
});

/** What a strategy's `size` may do wrong. */
const SIZES: readonly (readonly [name: string, size: (chunk: unknown) => number])[] = [
  ["throws", throws],
  ["is not a number", () => Number.NaN],
  ["is negative", () => -1],
  ["is infinite", () => Number.POSITIVE_INFINITY],
  ["is a symbol", () => Symbol("1") as unknown as number],
  ["is an object that is no number", () => JSON.parse('{"valueOf":1,"toString":1}')],
  ["is what a peer made it", (chunk) => JSON.parse(chunk as string)],
];

describe.each(ROLES)("a strategy of our %s whose size fails at a peer's message", (role) => {
  it.each(SIZES)("it %s: this connection ends", async (_, size) => {
    const meeting = await stage.meet(role, { readableStrategy: { highWaterMark: 2, size } });
    const reader = meeting.readable.getReader();
    // In the queue, where it is measured; a read that waits takes a message as it is.
    meeting.peer.sendText("not JSON");
    meeting.peer.sendText("not JSON");
    expect(await reasonOf(reader.closed)).toBeDefined();
    await meeting.peer.until(() => meeting.peer.closes.length > 0 || meeting.peer.isClosed || meeting.peer.hasEnded);
    meeting.peer.end();
    await reasonOf(meeting.stream.closed);
  });
});

describe.each(ROLES)("something that our %s is given to send", (role) => {
  it.each([
    ["an object whose toString() throws", { toString: throws }],
    ["an object that is no string", JSON.parse('{"toString":1,"valueOf":1}')],
    ["a symbol", Symbol("x")],
  ])("%s: its write rejects, and the others are undisturbed", async (_, chunk) => {
    const meeting = await stage.meet(role);
    const reading = readAll(meeting.readable);
    const writer = meeting.writable.getWriter();
    await reasonOf(writer.write(chunk as string));
    meeting.peer.reset();
    await reasonOf(meeting.stream.closed);
    await writer.closed.catch(() => {});
    await reading;
  });
});

describe.each(ROLES)("a reason that our %s is given", (role) => {
  it.each(THROWN)("%s, to abort(): the connection ends, and its writes reject with the same", async (_, create) => {
    const meeting = await stage.meet(role, { closeTimeoutMs: 100 });
    meeting.peer.pause();
    const writer = meeting.writable.getWriter();
    const thrown = create();
    // In an object of its own, as a promise would look at it.
    const writing = writer.write(new Uint8Array(16_777_216)).catch((reason: unknown) => ({ reason }));
    await writer.abort(thrown);
    const { reason } = (await writing) as { reason: unknown };
    if (thrown === undefined) expect(reason).toMatchObject({ name: "AbortError" });
    else expect(Object.is(reason, thrown)).toBe(true);
    meeting.peer.reset();
    await reasonOf(meeting.stream.closed);
  });

  it.each(THROWN)("%s, to cancel(): the connection is closed", async (_, create) => {
    const meeting = await stage.meet(role);
    const cancelling = meeting.readable.cancel(create());
    await meeting.peer.until(() => meeting.peer.closes.length > 0);
    expect(meeting.peer.closes).toEqual([[]]);
    meeting.peer.sendClose();
    meeting.peer.end();
    await cancelling;
    expect(await meeting.stream.closed).toEqual({ closeCode: 1005, reason: "" });
  });
});

describe.each(ROLES)("a reader of our %s that fails", (role) => {
  it("in the middle of a pipe: this connection ends", async () => {
    const meeting = await stage.meet(role);
    const piping = meeting.readable.pipeTo(new WritableStream({ write: throws }));
    meeting.peer.sendText("x");
    expect(await reasonOf(piping)).toBe(fault);
    await meeting.peer.until(() => meeting.peer.closes.length > 0);
    meeting.peer.sendClose(1000);
    meeting.peer.end();
    await meeting.stream.closed.catch(() => {});
  });

  it("in the middle of a transform whose other end is the connection itself: the same", async () => {
    const meeting = await stage.meet(role);
    const piping = meeting.readable
      .pipeThrough(
        new TransformStream<string | Uint8Array, string>({ transform: (chunk) => JSON.parse(chunk as string) }),
      )
      .pipeTo(meeting.writable);
    meeting.peer.sendText("not JSON");
    expect(await reasonOf(piping)).toBeInstanceOf(SyntaxError);
    await meeting.peer.until(() => meeting.peer.closes.length > 0);
    meeting.peer.destroy();
    await meeting.stream.closed.catch(() => {});
  });
});
