import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Connection } from "../../packages/sluice/src/connection/connection.ts";
import { Established } from "../../packages/sluice/src/streams/established.ts";
import { MessageByteLengthStrategy } from "../../packages/sluice/src/streams/strategies.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { MemoryTransport } from "../../packages/sluice/src/testing/memory-transport.ts";
import { VirtualClock } from "../../packages/sluice/src/testing/virtual-clock.ts";
import { addContent, type Content, type Kind } from "./content.ts";
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
  RUNS,
  SEQUENCES,
  TIMEOUT_MS,
  toTransportOptions,
} from "./sequence.ts";
import { StreamSide } from "./stream-side.ts";
import { WireMonitor } from "./wire-monitor.ts";

type Action =
  | { type: "write"; length: number; kind: Kind }
  | { type: "read" }
  | { type: "close"; closeCode: number | undefined; reason: string }
  | { type: "closeWriter" }
  | { type: "abort" | "cancel"; closeCode: number | null }
  | { type: "violate" | "reset" | "destroy" }
  | { type: "run" }
  | { type: "advance"; ms: number };

const kind = fc.constantFrom<Kind>("text", "buffer", "view");
const closeCode = fc.option(fc.constantFrom(1000, 3000, 4999), { nil: null });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ type: fc.constant("write" as const), length, kind }) },
  { weight: 12, arbitrary: fc.record({ type: fc.constant("read" as const) }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant("run" as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("advance" as const), ms: fc.constantFrom(1, 2_000, 30_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("close" as const),
      closeCode: fc.constantFrom(undefined, 1000, 4999),
      reason: fc.constantFrom("", "why"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("closeWriter" as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("abort" as const), closeCode }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("cancel" as const), closeCode }) },
  { weight: 1, arbitrary: fc.constantFrom<Action>({ type: "violate" }, { type: "reset" }, { type: "destroy" }) },
);

const sequence = fc.record({
  network,
  codecs,
  highWaterMarks: fc.tuple(fc.constantFrom(0, 1, 3, "100 kB" as const), fc.constantFrom(0, 1, 3, "100 kB" as const)),
  /** So many messages are answered, each from within the reaction to its read(). */
  answers: fc.tuple(fc.constantFrom(0, 2, 5), fc.constantFrom(0, 2, 5)),
  actions: fc.array(fc.tuple(fc.constantFrom(0, 1), action, delay), { minLength: 1, maxLength: 40 }),
});

describe("two streams, any sequence of what programs and networks do", () => {
  it(
    `everything settles, nothing is lost silently, the bound holds, the wire is legal (${SEQUENCES} sequences)`,
    async () => {
      await fc.assert(fc.asyncProperty(sequence, runSequence), RUNS);
    },
    TIMEOUT_MS,
  );
});

async function runSequence(given: typeof sequence extends fc.Arbitrary<infer Value> ? Value : never): Promise<void> {
  const clock = new VirtualClock();
  const transports = MemoryTransport.pair(clock, toTransportOptions(given.network));
  const contents = new Map<number, Content>();
  const modelCodecs: ModelCodec[] = [];
  const marks = given.highWaterMarks.map((mark) => (mark === "100 kB" ? 100_000 : mark * MAX_MESSAGE));
  const sides = transports.map((transport, i) => {
    const role = i === 0 ? "client" : "server";
    const mark = given.highWaterMarks[i] as number | "100 kB";
    const readableStrategy =
      mark === "100 kB" ? new MessageByteLengthStrategy({ highWaterMark: 100_000 }) : { highWaterMark: mark };
    const codec = given.codecs === null ? null : new ModelCodec(clock, given.codecs[i] as CodecTiming);
    if (codec !== null) modelCodecs.push(codec);
    const monitor = new WireMonitor(transport, role, codec !== null);
    const connection = new Connection(monitor, {
      role,
      clock,
      fillRandom: (target) => void target.fill(clock.now() + 1),
      deflate: codec,
    });
    const info = { url: "ws://model/", protocol: "", extensions: "", options: { readableStrategy } };
    const stream = new WebSocketStream(new Established(connection, info) as never);
    return new StreamSide(stream, role, monitor, contents, given.answers[i]);
  }) as [StreamSide, StreamSide];
  await clock.run();

  let isDisturbed = false;
  const checkBounds = (): void => {
    sides.forEach((side, i) => {
      const { heldBytesIn, heldBytesOut } = side.stream.metrics();
      const limits = { in: (marks[i] as number) + 2 * MAX_MESSAGE + RESERVE_IN, out: MAX_OUT };
      checkHeld({ in: heldBytesIn, out: heldBytesOut }, limits);
    });
  };
  const act = (index: number, step: Action): void => {
    const side = sides[index] as StreamSide;
    switch (step.type) {
      case "write":
        side.send(addContent(contents, step.kind, step.length));
        break;
      case "read":
      case "closeWriter":
        side[step.type]();
        break;
      case "close":
        side.close(step.closeCode, step.reason);
        break;
      case "abort":
      case "cancel":
        side[step.type](step.closeCode);
        break;
      case "violate":
        if (transports[index]?.inject(Uint8Array.of(0x8b, 0x00)) === true) isDisturbed = true;
        break;
      case "reset":
      case "destroy":
        isDisturbed = true;
        transports[index]?.[step.type]();
        break;
    }
  };
  for (const [index, step, tasks] of given.actions) {
    if (step.type === "run") await clock.run();
    else if (step.type === "advance") await clock.advance(step.ms);
    else if (tasks === 0) act(index, step);
    else inTasks(clock, tasks, () => act(index, step));
    checkBounds();
  }
  await clock.run();
  checkBounds();

  // Readers catch up with all that was accepted; then whoever is still open closes.
  for (let quiet = 0; quiet < 2; quiet++) {
    for (const side of sides) {
      for (let outcome = side.read(); outcome !== null; outcome = side.read()) {
        await clock.run();
        if (outcome.state !== "fulfilled" || side.isDone) break;
        quiet = 0;
      }
    }
  }
  const hasDiscarded = sides.map((side) => side.hasDiscarded);
  for (const side of sides) side.stream.close();
  await clock.advance(60_000);
  await clock.advance(60_000);

  for (const side of sides) side.checkEnd();
  expect(sides.flatMap((side) => side.problems)).toEqual([]);
  checkDelivery(sides[0], sides[1], hasDiscarded[1] as boolean, isDisturbed);
  checkDelivery(sides[1], sides[0], hasDiscarded[0] as boolean, isDisturbed);
  expect(sides.flatMap((side) => side.monitor.violations)).toEqual([]);
  for (const codec of modelCodecs) expect([codec.problems, codec.closeCounts]).toEqual([[], [1, 1]]);
  expect(clock.pendingTimers).toBe(0);
}

/** Promise 2: what arrives is what was written, in order and undamaged; what was accepted arrives or somebody is told. */
function checkDelivery(from: StreamSide, to: StreamSide, hasDiscarded: boolean, isDisturbed: boolean): void {
  const sent = from.monitor.messages;
  expect(to.received).toEqual(sent.slice(0, to.received.length));
  // An unclean end on either side tells: it errors what is still queued there.
  const isClean = from.closed.state === "fulfilled" && to.closed.state === "fulfilled";
  if (isDisturbed || hasDiscarded || !isClean) return;
  const accepted = from.written.filter((message) => message.outcome.state === "fulfilled").length;
  expect(to.received.slice(0, accepted)).toEqual(sent.slice(0, accepted));
}
