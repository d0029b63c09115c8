import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Connection } from "../../packages/sluice/src/connection/connection.ts";
import { Established } from "../../packages/sluice/src/streams/established.ts";
import { MessageByteLengthStrategy } from "../../packages/sluice/src/streams/strategies.ts";
import { WebSocketError } from "../../packages/sluice/src/streams/websocket-error.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { MemoryTransport } from "../../packages/sluice/src/testing/memory-transport.ts";
import { VirtualClock } from "../../packages/sluice/src/testing/virtual-clock.ts";
import { StreamSide } from "./side.ts";
import { WireMonitor } from "./wire-monitor.ts";

/** `SLUICE_SEQUENCES=100000` makes the long run; `SLUICE_SEED` repeats one. */
const SEQUENCES = Number(process.env.SLUICE_SEQUENCES ?? 2000);
const SEED = process.env.SLUICE_SEED === undefined ? undefined : Number(process.env.SLUICE_SEED);

const MAX_MESSAGE = 200_000;
const SEND_LIMIT = 65_536;
const RESERVE_IN = 131_072;
const RESERVE_OUT = 262_144;

type Action =
  | { type: "write"; length: number; isText: boolean }
  | { type: "read" }
  | { type: "close"; closeCode: number | undefined; reason: string }
  | { type: "closeWriter" }
  | { type: "abort"; closeCode: number | null }
  | { type: "cancel"; closeCode: number | null }
  | { type: "violate" }
  | { type: "reset" }
  | { type: "destroy" }
  | { type: "run" }
  | { type: "advance"; ms: number };

const length = fc.oneof(fc.nat(64), fc.constantFrom(0, 121, 122, 65_530, MAX_MESSAGE - 10), fc.nat(MAX_MESSAGE - 10));
const closeCode = fc.option(fc.constantFrom(1000, 3000, 4999), { nil: null });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ type: fc.constant("write" as const), length, isText: fc.boolean() }) },
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
  capacityBytes: fc.constantFrom(1000, 65_536, 1_000_000),
  chunk: fc.constantFrom(1_000_000, 4096, 7),
  isBorrowed: fc.boolean(),
  highWaterMarks: fc.tuple(fc.constantFrom(0, 1, 3, "100 kB" as const), fc.constantFrom(0, 1, 3, "100 kB" as const)),
  actions: fc.array(fc.tuple(fc.constantFrom(0, 1), action), { minLength: 1, maxLength: 40 }),
});

describe("two streams, any sequence of what programs and networks do", () => {
  it(
    `everything settles, nothing is lost silently, the bound holds, the wire is legal (${SEQUENCES} sequences)`,
    async () => {
      await fc.assert(fc.asyncProperty(sequence, runSequence), {
        numRuns: SEQUENCES,
        ...(SEED === undefined ? {} : { seed: SEED }),
      });
    },
    SEQUENCES * 200,
  );
});

async function runSequence(given: typeof sequence extends fc.Arbitrary<infer Value> ? Value : never): Promise<void> {
  const clock = new VirtualClock();
  // Single bytes would take too long for large messages.
  const chunkLength = (available: number): number => (available > 2_000 ? Math.max(4096, given.chunk) : given.chunk);
  const transports = MemoryTransport.pair(clock, {
    capacityBytes: given.capacityBytes,
    chunkLength,
    isBorrowed: given.isBorrowed,
  });
  const monitors = transports.map((transport, i) => new WireMonitor(transport, i === 0 ? "client" : "server"));
  const marks = given.highWaterMarks.map((mark) => (mark === "100 kB" ? 100_000 : mark * MAX_MESSAGE));
  const sides = monitors.map((monitor, i) => {
    const mark = given.highWaterMarks[i] as number | "100 kB";
    const readableStrategy =
      mark === "100 kB" ? new MessageByteLengthStrategy({ highWaterMark: 100_000 }) : { highWaterMark: mark };
    const connection = new Connection(monitor, {
      role: i === 0 ? "client" : "server",
      clock,
      fillRandom: (target) => void target.fill(clock.now() + 1),
    });
    const info = { url: "ws://model/", protocol: "", extensions: "", options: { readableStrategy } };
    return new StreamSide(
      new WebSocketStream(new Established(connection, info) as never),
      i === 0 ? "client" : "server",
    );
  }) as [StreamSide, StreamSide];
  await clock.run();

  let nextId = 1;
  let isDisturbed = false;
  const checkBounds = (): void => {
    sides.forEach((side, i) => {
      const held = side.stream.metrics();
      expect(held.heldBytesIn).toBeLessThanOrEqual((marks[i] as number) + 2 * MAX_MESSAGE + RESERVE_IN);
      expect(held.heldBytesOut).toBeLessThanOrEqual(MAX_MESSAGE + SEND_LIMIT + RESERVE_OUT);
    });
  };
  for (const [index, step] of given.actions) {
    const side = sides[index] as StreamSide;
    switch (step.type) {
      case "write":
        side.write(nextId++, step.length, step.isText);
        break;
      case "read":
        side.read();
        break;
      case "close":
        side.close({ closeCode: step.closeCode, reason: step.reason });
        break;
      case "closeWriter":
        side.closeWriter();
        break;
      case "abort":
      case "cancel": {
        const reason =
          step.closeCode === null
            ? new Error("mine")
            : new WebSocketError("", { closeCode: step.closeCode, reason: "mine" });
        side[step.type](reason);
        break;
      }
      case "violate":
        isDisturbed = true;
        // Straight into the transport, so that only the other side sees it.
        transports[index]?.write(Uint8Array.of(0x8b, 0x00));
        break;
      case "reset":
        isDisturbed = true;
        transports[index]?.reset();
        break;
      case "destroy":
        isDisturbed = true;
        transports[index]?.destroy();
        break;
      case "run":
        await clock.run();
        break;
      case "advance":
        await clock.advance(step.ms);
        break;
    }
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

  for (const side of sides) {
    expect(side.observed.filter((one) => one.state === "pending").map((one) => one.name)).toEqual([]);
    checkErrors(side);
  }
  checkDelivery(sides[0], sides[1], hasDiscarded[1] as boolean, isDisturbed);
  checkDelivery(sides[1], sides[0], hasDiscarded[0] as boolean, isDisturbed);
  expect(monitors.flatMap((monitor) => monitor.violations)).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
}

/** Promise 3: one error object per failure, of the right kind. */
function checkErrors(side: StreamSide): void {
  if (side.closed.state === "rejected") {
    expect(side.closed.value).toBeInstanceOf(WebSocketError);
    for (const one of side.observed) {
      if (one.state === "rejected" && one.name.endsWith("read()")) expect(one.value).toBe(side.closed.value);
    }
  }
  const invalidStates = side.observed.filter(
    (one) => one.state === "rejected" && (one.value as Error).name === "InvalidStateError",
  );
  expect(new Set(invalidStates.map((one) => one.value)).size).toBeLessThanOrEqual(1);
  for (const one of side.observed) {
    if (one.state !== "rejected" || one.value === side.closed.value) continue;
    expect(["InvalidStateError", "TypeError", "Error", "WebSocketError"]).toContain((one.value as Error).name);
  }
}

/** Promise 2: what arrives is what was written, in order and undamaged; what was accepted arrives or somebody is told. */
function checkDelivery(from: StreamSide, to: StreamSide, hasDiscarded: boolean, isDisturbed: boolean): void {
  const ids = from.written.map((message) => message.id);
  expect(to.received).toEqual(ids.slice(0, to.received.length));
  // An unclean end on either side tells: it errors what is still queued there.
  const isClean = from.closed.state === "fulfilled" && to.closed.state === "fulfilled";
  if (isDisturbed || hasDiscarded || !isClean) return;
  const accepted = from.written.filter((message) => message.outcome.state === "fulfilled").map((message) => message.id);
  expect(to.received.slice(0, accepted.length)).toEqual(accepted);
}
