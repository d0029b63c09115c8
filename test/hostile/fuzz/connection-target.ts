import { HostilePeer } from "../../../packages/sluice/src/testing/hostile-peer.ts";
import { MemoryTransport } from "../../../packages/sluice/src/testing/memory-transport.ts";
import { createStream } from "../../../packages/sluice/src/testing/pair.ts";
import { VirtualClock } from "../../../packages/sluice/src/testing/virtual-clock.ts";
import { check, checkSame } from "./check.ts";
import { cutsOf } from "./cut.ts";

/** What can be said about a connection that is over; the same however the bytes were cut. */
interface Story {
  readonly messages: readonly string[];
  readonly isDone: boolean;
  readonly closed: readonly [kind: "clean" | "unclean", closeCode: number, cause: string];
  readonly closes: readonly (readonly [] | readonly [number, string])[];
}

/**
 * A whole connection over memory: the first byte says which role is ours, how the peer ends, and what our side does; the
 * others are what the peer sends. Everything has to settle, and what we send has to be legal.
 */
export async function connection(input: Uint8Array): Promise<void> {
  const flags = input[0] ?? 0;
  const wire = input.subarray(1);
  let first: Story | null = null;
  for (const [name, chunks] of cutsOf(wire).slice(0, 4)) {
    const story = await play(flags, chunks);
    first ??= story;
    // A peer that resets decides by that what of its bytes is read at all.
    if ((flags & 6) !== 6) checkSame(story, first, `cut ${name}`);
  }
}

async function play(flags: number, chunks: readonly Uint8Array[]): Promise<Story> {
  const role = flags & 1 ? "client" : "server";
  const clock = new VirtualClock();
  const isBorrowed = (flags & 8) !== 0;
  const [transport, peerTransport] = MemoryTransport.pair(clock, { isBorrowed, capacityBytes: 1_000_000 });
  const options = { maxMessageBytes: 50_000, maxFragments: 100 };
  const stream = createStream(transport, { role, clock, options });
  const peer = new HostilePeer(peerTransport, role === "server" ? "client" : "server");
  const { readable, writable } = await stream.opened;

  const messages: string[] = [];
  let isDone: boolean | null = null;
  const reading = (async () => {
    try {
      for await (const message of readable) messages.push(`${typeof message} ${Buffer.from(message).toString("hex")}`);
      isDone = true;
    } catch {
      isDone = false;
    }
  })();
  if (flags & 32) stream.close({ closeCode: 4001 });
  if (flags & 16)
    void writable
      .getWriter()
      .write("something of ours")
      .catch(() => {});
  for (const chunk of chunks) {
    peer.send(chunk);
    await clock.run();
    const { heldBytesIn } = stream.metrics();
    check(heldBytesIn <= 2 * options.maxMessageBytes + 65_536 + 131_072, `${heldBytesIn} bytes are held`);
  }
  await clock.run();
  if ((flags & 6) === 6) peer.reset();
  else if ((flags & 6) === 4) peer.end();
  else if ((flags & 6) === 2) stream.close({ closeCode: 4000 });
  await clock.run();
  // Whoever waits for the peer gives up in time.
  await clock.advance(120_000);
  const closed = await settledNow(stream.closed, clock);
  await Promise.race([reading, Promise.resolve()]);
  check(isDone !== null, "the reader's last read has settled");
  check(clock.pendingTimers === 0, `${clock.pendingTimers} timers are left`);
  checkFrames(peer, role);
  return { messages, isDone, closed, closes: peer.closes };
}

async function settledNow(
  promise: Promise<{ closeCode: number }>,
  clock: VirtualClock,
): Promise<readonly ["clean" | "unclean", number, string]> {
  let outcome: readonly ["clean" | "unclean", number, string] | null = null;
  promise.then(
    ({ closeCode }) => {
      outcome = ["clean", closeCode, ""];
    },
    (error: { closeCode: number; cause?: { code?: string } }) => {
      outcome = ["unclean", error.closeCode, error.cause?.code ?? ""];
    },
  );
  await clock.run();
  check(outcome !== null, "closed has settled");
  return outcome;
}

/** RFC 6455 §5: what our side may send, whatever it was sent. */
function checkFrames({ frames, rest }: HostilePeer, role: "client" | "server"): void {
  let isInMessage = false;
  let isClosed = false;
  for (const { opcode, rsv, isMasked, isFin, payload } of frames) {
    check(rsv === 0 && isMasked === (role === "client"), "reserved bits and masks are right");
    check([0, 1, 2, 8, 9, 10].includes(opcode), `opcode ${opcode} is sent`);
    check(!isClosed || opcode === 10, `opcode ${opcode} is sent behind a Close`);
    if (opcode >= 8) check(isFin && payload.byteLength <= 125, "control frames are short and whole");
    else {
      check((opcode === 0) === isInMessage, "fragments follow each other");
      isInMessage = !isFin;
    }
    isClosed ||= opcode === 8;
  }
  check(rest.byteLength === 0, "no frame is cut off");
}
