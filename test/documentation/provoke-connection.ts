import { constants, deflateRawSync } from "node:zlib";
import { Budget } from "../../packages/sluice/src/connection/budget.ts";
import { Connection, type ConnectionOptions } from "../../packages/sluice/src/connection/connection.ts";
import { createPerMessageDeflateCodec } from "../../packages/sluice/src/node/zlib-codec.ts";
import { zlibFailure } from "../../packages/sluice/src/node/zlib-failure.ts";
import type { PerMessageDeflateCodec } from "../../packages/sluice/src/protocol/permessage-deflate/codec.ts";
import { Established } from "../../packages/sluice/src/streams/established.ts";
import type { ConnectionLimits } from "../../packages/sluice/src/streams/options.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { MemoryTransport } from "../../packages/sluice/src/testing/memory-transport.ts";
import { VirtualClock } from "../../packages/sluice/src/testing/virtual-clock.ts";

/** How a connection ended for both. */
export interface Ending {
  /** The Close frames that the peer got: `[code, reason]`, or `[]` without a body. */
  readonly closes: readonly (readonly [] | readonly [number, string])[];
  /** What `closed` rejected with. */
  readonly error: unknown;
}

/** What plays the part of the peer, and of the user. */
interface Stage {
  readonly peer: HostilePeer;
  readonly clock: VirtualClock;
  readonly stream: WebSocketStream;
  readonly writer: WritableStreamDefaultWriter<string | BufferSource>;
}

type Options = Partial<Omit<ConnectionOptions, "clock">> & Pick<ConnectionLimits, "readableStrategy">;

/** Plays a scene on a connection in memory, and says how it ended. */
async function endOf(options: Options, play: (stage: Stage) => Promise<void> | void): Promise<Ending> {
  const clock = new VirtualClock();
  const role = options.role ?? "server";
  const [transport, peerTransport] = MemoryTransport.pair(clock);
  const connection = new Connection(transport, {
    fillRandom: (target) => crypto.getRandomValues(target as Uint8Array<ArrayBuffer>),
    keepAlive: false,
    ...options,
    role,
    clock,
  });
  const info = { url: "ws://test/", protocol: "", extensions: "", options };
  const stream = new WebSocketStream(new Established(connection, info) as never);
  const peer = new HostilePeer(peerTransport, role === "server" ? "client" : "server");
  const writer = (await stream.opened).writable.getWriter();
  await clock.run();
  await play({ peer, clock, stream, writer });
  let hasEnded = false;
  const ending = stream.closed
    .then(
      () => null,
      (reason: unknown) => reason,
    )
    .finally(() => {
      hasEnded = true;
    });
  // A message that is inflated on a thread comes when it comes.
  while (!hasEnded) await clock.run();
  const error = await ending;
  peer.resume();
  await clock.run();
  return { closes: peer.closes, error };
}

/** The peer sends these bytes. */
const bytes =
  (hex: string, options: Options = {}): (() => Promise<Ending>) =>
  () =>
    endOf(options, ({ peer }) => peer.send(Buffer.from(hex.replaceAll(" ", ""), "hex")));

function createDeflate(): PerMessageDeflateCodec {
  return createPerMessageDeflateCodec("server", {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
  });
}

/** The peer sends this much of nothing, compressed. */
const bomb =
  (byteLength: number, options: Options): (() => Promise<Ending>) =>
  () =>
    endOf({ ...options, deflate: createDeflate() }, ({ peer }) => {
      const deflated = deflateRawSync(new Uint8Array(byteLength), { finishFlush: constants.Z_SYNC_FLUSH });
      peer.sendFrame({ opcode: 2, rsv: 4, payload: deflated.subarray(0, -4) });
    });

const failingCodec: PerMessageDeflateCodec = {
  inflater: {
    inflate: () => {
      throw zlibFailure(new Error("no memory"));
    },
    heldBytes: 0,
    close: () => {},
  },
  deflater: { shouldDeflate: () => false, deflate: () => null, heldBytes: 0, close: () => {} },
};

/** How each failure of docs/errors.md comes about, by its code and the reason that the peer is told. */
export const CONNECTION_FAILURES: Readonly<Record<string, () => Promise<Ending>>> = {
  // The peer broke a rule.
  "ERR_SLUICE_MESSAGE_TOO_BIG Cannot accept the message as maxMessageBytes is …": bytes("82 85 00 00 00 00", {
    maxMessageBytes: 4,
  }),
  "ERR_SLUICE_MESSAGE_TOO_BIG Cannot inflate the message as it is larger than maxMessageBytes": bomb(10_000, {
    maxMessageBytes: 9_999,
  }),
  "ERR_SLUICE_MESSAGE_TOO_BIG Cannot accept a frame of 2^53 bytes or more": bytes(
    "82 ff 00 20 00 00 00 00 00 00 00 00 00 00",
  ),
  "ERR_SLUICE_TOO_MANY_FRAGMENTS Cannot accept the message as maxFragments is …": bytes(
    "02 80 00 00 00 00 00 80 00 00 00 00 00 80 00 00 00 00",
    { maxFragments: 2 },
  ),
  "ERR_SLUICE_INFLATE_RATIO Cannot inflate the message as maxInflateRatio is …": bomb(300_000, { maxInflateRatio: 50 }),
  "ERR_SLUICE_INVALID_DEFLATE_DATA Cannot inflate the message as its data is …": () =>
    bytes("c2 83 00 00 00 00 07 ff ff", { deflate: createDeflate() })(),
  "ERR_SLUICE_INVALID_UTF8 Cannot accept the text message as it is not UTF-8": bytes("81 81 00 00 00 00 ff"),
  "ERR_SLUICE_INVALID_UTF8 Cannot accept Close as its reason is not UTF-8": bytes("88 83 00 00 00 00 03 e8 ff"),
  "ERR_SLUICE_INVALID_CLOSE_BODY Cannot read Close as its body is one byte": bytes("88 81 00 00 00 00 03"),
  "ERR_SLUICE_INVALID_CLOSE_CODE Cannot accept Close as code … must not be sent": bytes("88 82 00 00 00 00 03 ee"),
  "ERR_SLUICE_RESERVED_BIT Cannot accept the frame as a reserved bit is set": bytes("c1 80 00 00 00 00"),
  "ERR_SLUICE_RESERVED_OPCODE Cannot accept the frame as opcode … is reserved": bytes("83 80 00 00 00 00"),
  "ERR_SLUICE_INVALID_MASK Cannot accept the frame as a client must mask its frames": bytes("81 00"),
  "ERR_SLUICE_INVALID_MASK Cannot accept the frame as a server must not mask its frames": bytes("81 80 00 00 00 00", {
    role: "client",
  }),
  "ERR_SLUICE_UNEXPECTED_FRAME Cannot accept the frame as a message is unfinished": bytes(
    "01 80 00 00 00 00 81 80 00 00 00 00",
  ),
  "ERR_SLUICE_UNEXPECTED_FRAME Cannot accept the frame as there is no message to continue": bytes("80 80 00 00 00 00"),
  "ERR_SLUICE_FRAGMENTED_CONTROL Cannot accept a fragmented control frame": bytes("09 80 00 00 00 00"),
  "ERR_SLUICE_CONTROL_TOO_LONG Cannot accept a control frame of more than 125 bytes": bytes("89 fe 00 7e"),
  "ERR_SLUICE_INVALID_LENGTH Cannot accept the frame as its length is not in the shortest form":
    bytes("82 fe 00 05 00 00 00 00"),

  // The connection was given up, or ended early.
  "ERR_SLUICE_PEER_DEAD no answer to a Ping (keepAlive.timeoutMs)": () =>
    endOf({ keepAlive: { intervalMs: 10, timeoutMs: 10 } }, ({ clock }) => clock.advance(20)),
  "ERR_SLUICE_PEER_STALLED the peer does not read (keepAlive.stalledTimeoutMs)": () =>
    endOf({ keepAlive: { intervalMs: 10, timeoutMs: 10, stalledTimeoutMs: 100 } }, async ({ peer, writer, clock }) => {
      peer.pause();
      writer.write(new Uint8Array(1_000_000)).catch(() => {});
      await clock.advance(200);
    }),
  "ERR_SLUICE_READER_PAUSED the reader stood still (keepAlive.pausedTimeoutMs)": () =>
    endOf({ keepAlive: { intervalMs: 10, timeoutMs: 10, pausedTimeoutMs: 100 } }, async ({ peer, clock }) => {
      for (const text of ["1", "2", "3"]) peer.sendText(text);
      await clock.advance(200);
    }),
  "ERR_SLUICE_IDLE_TIMEOUT no message for … ms (idleTimeoutMs)": () =>
    endOf({ idleTimeoutMs: 1_000 }, ({ clock }) => clock.advance(1_000)),
  "ERR_SLUICE_MEMORY_BUDGET the memory budget is used up (memoryBudgetBytes)": () =>
    endOf({ budget: new Budget(1_048_576, () => 0), readableStrategy: { highWaterMark: 100 } }, ({ peer }) =>
      peer.sendBinary(new Uint8Array(2_000_000)),
    ),
  "ERR_SLUICE_CLOSE_TIMEOUT –": () =>
    endOf({ closeTimeoutMs: 100 }, ({ stream, clock }) => {
      stream.close();
      return clock.advance(100);
    }),
  "ERR_SLUICE_NO_CLOSE_FRAME –": () => endOf({}, ({ peer }) => peer.end()),
  "ERR_SLUICE_CLOSED_EARLY the peer's": () =>
    endOf({}, async ({ peer, writer, clock }) => {
      peer.pause();
      writer.write(new Uint8Array(1_000_000)).catch(() => {});
      peer.sendClose(4567, "enough");
      await clock.run();
      peer.resume();
      await clock.run();
      peer.end();
    }),
  'ERR_SLUICE_ZLIB ""': () =>
    endOf({ deflate: failingCodec }, ({ peer }) => peer.sendFrame({ opcode: 2, rsv: 4, payload: "x" })),
};
