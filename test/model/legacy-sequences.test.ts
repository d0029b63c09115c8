import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Connection } from "../../packages/sluice/src/connection/connection.ts";
import { WebSocket } from "../../packages/sluice/src/legacy/websocket.ts";
import type { ConnectObserver, ConnectOptions } from "../../packages/sluice/src/node/connect.ts";
import { Established } from "../../packages/sluice/src/streams/established.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { MemoryTransport } from "../../packages/sluice/src/testing/memory-transport.ts";
import type { VirtualClock } from "../../packages/sluice/src/testing/virtual-clock.ts";
import { BlobReads } from "./blob-reads.ts";
import { addContent, type Content, type Kind } from "./content.ts";
import { LegacySide } from "./legacy-side.ts";
import { type CodecTiming, ModelCodec } from "./model-codec.ts";
import {
  checkHeld,
  codecs,
  delay,
  inTasks,
  length,
  MAX_MESSAGE,
  MAX_OUT,
  network,
  RESERVE_IN,
  RESERVE_OUT,
  RUNS,
  SEND_LIMIT,
  SEQUENCES,
  TIMEOUT_MS,
  toTransportOptions,
} from "./sequence.ts";
import { StreamSide } from "./stream-side.ts";
import { WireMonitor } from "./wire-monitor.ts";

/** A handshake of the legacy class, whose outcome the model decides. */
interface Attempt {
  readonly options: ConnectOptions;
  readonly observer: ConnectObserver;
  onAbort: () => void;
}

const attempts: Attempt[] = vi.hoisted(() => []);

vi.mock("../../packages/sluice/src/node/connect.ts", async () => {
  const { VirtualClock } = await import("../../packages/sluice/src/testing/virtual-clock.ts");
  return {
    realClock: new VirtualClock(),
    connect(options: ConnectOptions, observer: ConnectObserver) {
      const attempt: Attempt = { options, observer, onAbort: () => {} };
      attempts.push(attempt);
      return { abort: () => attempt.onAbort() };
    },
  };
});

const clock = (await import("../../packages/sluice/src/node/connect.ts")).realClock as VirtualClock;
const blobs = new BlobReads();
beforeAll(() => blobs.install());
afterAll(() => blobs.restore());

type Action =
  | { type: "open" | "refuse" }
  | { type: "send"; length: number; kind: Kind }
  | { type: "receive" }
  | { type: "finishBlob"; isReadable: boolean }
  | { type: "binaryType"; value: "blob" | "arraybuffer" }
  | { type: "close"; closeCode: number | undefined; reason: string }
  | { type: "closeWriter" }
  | { type: "abort" | "cancel"; closeCode: number | null }
  | { type: "violate" | "reset" | "destroy" }
  | { type: "run" }
  | { type: "advance"; ms: number };

const record = <T extends Action>(type: T["type"]) => fc.constant({ type } as T);
const closeCode = fc.option(fc.constantFrom(1000, 3000, 4999), { nil: null });
const kind = fc.constantFrom<Kind>("text", "text", "buffer", "view", "blob");
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: record("open") },
  { weight: 14, arbitrary: fc.record({ type: fc.constant("send" as const), length, kind }) },
  { weight: 8, arbitrary: record("receive") },
  { weight: 10, arbitrary: record("run") },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("finishBlob" as const),
      isReadable: fc.constantFrom(true, true, true, true, true, true, true, false),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("binaryType" as const),
      value: fc.constantFrom("blob" as const, "arraybuffer" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("advance" as const), ms: fc.constantFrom(1, 2_000, 30_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("close" as const),
      closeCode: fc.constantFrom(undefined, 1000, 4999),
      reason: fc.constantFrom("", "why"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(
      record("closeWriter"),
      fc.record({ type: fc.constantFrom("abort" as const, "cancel" as const), closeCode }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Action>({ type: "violate" }, { type: "reset" }, { type: "destroy" }, { type: "refuse" }),
  },
);

const end = fc.record({
  isAwaited: fc.boolean(),
  stalls: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
  answersAt: fc.constantFrom(-1, -1, 0, 2),
  closesAt: fc.constantFrom(-1, -1, -1, 0, 2),
  maxBufferedBytes: fc.constantFrom(undefined, undefined, undefined, 300_000),
  sendLimitBytes: fc.constantFrom(undefined, undefined, 0),
});
type End = typeof end extends fc.Arbitrary<infer Value> ? Value : never;

const sequence = fc.record({
  network,
  codecs,
  apis: fc.constantFrom(["legacy", "legacy"], ["legacy", "stream"], ["stream", "legacy"]),
  ends: fc.tuple(end, end),
  isOpenAtOnce: fc.boolean(),
  actions: fc.array(fc.tuple(fc.constantFrom(0 as const, 1 as const), action, delay), { minLength: 1, maxLength: 40 }),
});

describe("legacy sockets, at one end or both, any sequence of what programs and networks do", () => {
  it(
    `events come in order and once, nothing is lost silently, bufferedAmount is exact, the bound holds, the wire is legal (${SEQUENCES} sequences)`,
    async () => {
      await fc.assert(fc.asyncProperty(sequence, runSequence), RUNS);
    },
    TIMEOUT_MS,
  );
});

async function runSequence(given: typeof sequence extends fc.Arbitrary<infer Value> ? Value : never): Promise<void> {
  const model = new Model(given);
  try {
    for (const [index, step, tasks] of given.actions) await model.act(index, step, tasks);
    await model.finish();
    await model.check();
  } finally {
    await model.tearDown();
  }
}

/** Two ends, at least one of them a legacy socket, and the handshakes between them. */
class Model {
  readonly #ends: readonly [EndOfModel, EndOfModel];
  readonly #contents: Map<number, Content> = new Map();
  /** Something happened after which a connection may end with 1006. */
  #isDisturbed = false;

  constructor(given: typeof sequence extends fc.Arbitrary<infer Value> ? Value : never) {
    const transports = MemoryTransport.pair(clock, toTransportOptions(given.network));
    this.#ends = transports.map((transport, i) => {
      const role = i === 0 ? "client" : "server";
      const codec = given.codecs === null ? null : new ModelCodec(clock, given.codecs[i] as CodecTiming);
      return new EndOfModel(transport, role, given.apis[i] as string, given.ends[i] as End, this.#contents, codec);
    }) as [EndOfModel, EndOfModel];
    if (given.isOpenAtOnce) for (const one of this.#ends) one.open();
  }

  get #sides(): readonly (LegacySide | StreamSide)[] {
    return this.#ends.map(({ side }) => side);
  }

  /** A message did not fit, which fails the connection. */
  get #wasFull(): boolean {
    return this.#sides.some((side) => side instanceof LegacySide && side.wasFull);
  }

  /** @param tasks in so many tasks of the run that follows, so that it comes between two things that the engine does */
  async act(index: 0 | 1, step: Action, tasks: number): Promise<void> {
    if (step.type === "run") await this.#run();
    else if (step.type === "advance") {
      // Long enough for a timer of an end whose peer does not read.
      this.#isDisturbed ||= step.ms >= 2_000;
      await clock.advance(step.ms);
      this.#checkBetweenTasks();
    } else if (tasks === 0) this.#actNow(index, step);
    else {
      inTasks(clock, tasks, () => {
        this.#checkBetweenTasks();
        this.#actNow(index, step);
      });
    }
    this.#checkBounds();
  }

  #actNow(index: 0 | 1, step: Action): void {
    const one = this.#ends[index];
    const { side, transport } = one;
    switch (step.type) {
      case "open":
        one.open();
        break;
      case "refuse":
        this.#isDisturbed ||= one.refuse();
        break;
      case "send":
        if (!(side instanceof StreamSide) || step.kind !== "blob") {
          side.send(addContent(this.#contents, step.kind, step.length));
        }
        break;
      case "receive":
        if (side instanceof StreamSide) side.read();
        else side.release();
        break;
      case "finishBlob":
        if (blobs.finish(step.isReadable)) this.#isDisturbed ||= !step.isReadable;
        break;
      case "binaryType":
        if (side instanceof LegacySide) side.socket.binaryType = step.value;
        break;
      case "close":
        // While connecting: nothing of the kind is on the wire.
        this.#isDisturbed ||= side instanceof LegacySide && side.socket.readyState === WebSocket.CONNECTING;
        side.close(step.closeCode, step.reason);
        break;
      case "closeWriter":
        if (side instanceof StreamSide) side.closeWriter();
        break;
      case "abort":
      case "cancel":
        if (side instanceof StreamSide) side[step.type](step.closeCode);
        break;
      case "violate":
        if (one.isOpen && transport.inject(Uint8Array.of(0x8b, 0x00))) this.#isDisturbed = true;
        break;
      case "reset":
      case "destroy":
        this.#isDisturbed = true;
        transport[step.type]();
        // What a socket that is lost in the handshake comes to.
        one.refuse();
        break;
    }
    for (const { side } of this.#ends) if (side instanceof LegacySide) side.checkWithinTask();
  }

  /** Everything that waits for the model gets what it waits for; then whoever is still open closes. */
  async finish(): Promise<void> {
    for (const one of this.#ends) one.open();
    for (const side of this.#sides) if (side instanceof LegacySide) side.isCatchingUp = true;
    let isMoving = true;
    while (isMoving) {
      await this.#run();
      isMoving = blobs.finish(true);
      for (const side of this.#sides) {
        if (side instanceof LegacySide) isMoving = side.release() || isMoving;
        else isMoving = (await this.#readAll(side)) || isMoving;
      }
    }
    this.#checkArrived();
    for (const side of this.#sides) side.close(undefined, "");
    await clock.advance(60_000);
    await clock.advance(60_000);
    this.#checkBetweenTasks();
  }

  async check(): Promise<void> {
    const sides = this.#sides;
    for (const [i, side] of sides.entries()) {
      await side.checkEnd((sides[1 - i] as LegacySide | StreamSide).monitor);
    }
    expect(sides.flatMap((side) => [...side.problems, ...side.monitor.violations])).toEqual([]);
    for (const [i, side] of sides.entries()) this.#checkReceived(side, sides[1 - i] as LegacySide | StreamSide);
    for (const { codec, isOpen } of this.#ends) {
      if (codec !== null) expect([codec.problems, codec.closeCounts]).toEqual([[], isOpen ? [1, 1] : [0, 0]]);
    }
    expect(clock.pendingTimers).toBe(0);
  }

  /** Also after a failure: the clock and the queue of events are those of the next sequence. */
  async tearDown(): Promise<void> {
    for (const { transport } of this.#ends) transport.destroy();
    while (blobs.finish(true));
    await clock.advance(120_000);
    attempts.length = 0;
  }

  async #run(): Promise<void> {
    await clock.run();
    this.#checkBetweenTasks();
  }

  /** @returns whether something was read */
  async #readAll(side: StreamSide): Promise<boolean> {
    const before = side.received.length;
    for (let outcome = side.read(); outcome !== null; outcome = side.read()) {
      await this.#run();
      if (outcome.state !== "fulfilled" || side.isDone) break;
    }
    return side.received.length > before;
  }

  #checkBetweenTasks(): void {
    for (const side of this.#sides) if (side instanceof LegacySide) side.checkBetweenTasks();
  }

  #checkBounds(): void {
    for (const side of this.#sides) {
      if (side instanceof StreamSide) {
        const { heldBytesIn, heldBytesOut } = side.stream.metrics();
        checkHeld({ in: heldBytesIn, out: heldBytesOut }, { in: 3 * MAX_MESSAGE + RESERVE_IN, out: MAX_OUT });
      } else {
        const limits = { maxMessageBytes: MAX_MESSAGE, sendLimitBytes: SEND_LIMIT };
        side.checkBounds({ ...limits, reserveIn: RESERVE_IN, reserveOut: RESERVE_OUT });
      }
    }
  }

  /** Before anybody closed, and with nobody waiting, what is on the wire has arrived. */
  #checkArrived(): void {
    const [client, server] = this.#sides as [LegacySide | StreamSide, LegacySide | StreamSide];
    if (this.#isDisturbed || this.#wasFull || client.hasDiscarded || server.hasDiscarded) return;
    if (!this.#ends.every((one) => one.isOpen)) return;
    expect(client.received.length).toBe(server.monitor.messages.length);
    expect(server.received.length).toBe(client.monitor.messages.length);
  }

  /** What arrived is what was sent, in order and undamaged (the side has checked that); all of it unless somebody was told. */
  #checkReceived(to: LegacySide | StreamSide, from: LegacySide | StreamSide): void {
    const sent = from.monitor.messages;
    expect(to.received).toEqual(sent.slice(0, to.received.length));
    if (to.hasEverything) expect(to.received).toEqual(sent);
    if (to instanceof LegacySide && !this.#isDisturbed && !this.#wasFull) expect(to.closeEvent?.code).not.toBe(1006);
  }
}

/** One end: its API's object, and the handshake that the model lets happen. */
class EndOfModel {
  readonly transport: MemoryTransport;
  readonly side: LegacySide | StreamSide;
  readonly codec: ModelCodec | null;
  isOpen = false;
  readonly #role: "client" | "server";
  readonly #monitor: WireMonitor;
  #attempt: Attempt | null = null;

  constructor(
    transport: MemoryTransport,
    role: "client" | "server",
    api: string,
    end: End,
    contents: Map<number, Content>,
    codec: ModelCodec | null,
  ) {
    this.transport = transport;
    this.#role = role;
    this.codec = codec;
    this.#monitor = new WireMonitor(transport, role, codec !== null);
    const { sendLimitBytes } = end;
    if (api === "stream") {
      const connection = this.#createConnection({ sendLimitBytes });
      const info = { url: "ws://model/", protocol: "", extensions: "", options: {} };
      const stream = new WebSocketStream(new Established(connection, info) as never);
      this.side = new StreamSide(stream, role, this.#monitor, contents);
      this.isOpen = true;
      return;
    }
    const { isAwaited, maxBufferedBytes } = end;
    const options = { awaitListeners: isAwaited, maxBufferedBytes, sendLimitBytes, maxMessageBytes: MAX_MESSAGE };
    const socket = new WebSocket("ws://model/", options);
    this.#attempt = attempts.pop() as Attempt;
    this.#attempt.onAbort = () => {
      this.#attempt = null;
      transport.destroy();
    };
    const maximum = maxBufferedBytes ?? Number.POSITIVE_INFINITY;
    this.side = new LegacySide(socket, role, this.#monitor, {
      listening: end,
      maxBufferedBytes: maximum,
      contents,
      blobs,
    });
  }

  /** The handshake succeeds, if it is still under way. */
  open(): void {
    const attempt = this.#attempt;
    if (attempt === null || !(this.side instanceof LegacySide)) return;
    this.#attempt = null;
    this.isOpen = true;
    const connection = this.#createConnection(attempt.options.connection ?? {});
    this.side.connection = connection;
    attempt.observer.onEstablished(connection, { protocol: "", extensions: "", head: new Uint8Array(0) });
  }

  /** The handshake fails, if it is still under way. @returns whether it was */
  refuse(): boolean {
    const attempt = this.#attempt;
    if (attempt === null) return false;
    this.#attempt = null;
    this.transport.destroy();
    attempt.observer.onFailed(new Error("refused"));
    return true;
  }

  #createConnection(options: ConnectOptions["connection"]): Connection {
    const fillRandom = (target: Uint8Array): void => void target.fill(clock.now() + 1);
    return new Connection(this.#monitor, { ...options, role: this.#role, clock, fillRandom, deflate: this.codec });
  }
}
