import type { Connection } from "../connection/connection.ts";
import type { SharedFrame } from "../connection/outbox.ts";
import { CloseCode } from "../protocol/close-code.ts";
import { FrameWriter } from "../protocol/frame-writer.ts";
import { DEFAULT_LIMITS } from "../protocol/limits.ts";
import { Opcode } from "../protocol/opcode.ts";
import { OutputBlocks, recycleBlock } from "../protocol/output-blocks.ts";
import { toBytes } from "../streams/buffer-source.ts";
import { closeValidated, getConnection, type WebSocketStream } from "../streams/websocket-stream.ts";
import { getServed } from "./server-websocket-stream.ts";

/** What happens to a receiver for whom earlier data still waits. */
export interface BroadcastOptions {
  /**
   * - `"wait"`: the message queues for it, and the returned promise waits with it: the slowest sets the pace.
   * - `"drop"`: it misses this message.
   * - `"latest"`: the message waits for room, and gives way to the next broadcast if that comes first.
   * - `"close"`: it is closed with 1013.
   *
   * @defaultValue "wait": nobody misses anything unasked
   */
  readonly onSlow?: "wait" | "drop" | "latest" | "close" | undefined;
}

/** Who got the message and who did not: there is never a gap without telling. */
export interface BroadcastResult<Stream> {
  /** Receivers to whom the message went, as `write()` means it. */
  readonly sent: number;
  readonly missed: readonly { readonly stream: Stream; readonly why: BroadcastMiss }[];
}

/** "slow": dropped or closed by `onSlow`; "replaced" by a later one; "closed": not open, or it ended meanwhile. */
export type BroadcastMiss = "slow" | "replaced" | "closed";

/**
 * Sends one message to many connections. It is framed once, and the same memory goes to all of them. It is sent without
 * compression, since each connection that compresses has a history of its own; and in its turn behind the message that a
 * connection is sending, but ahead of chunks that wait in its `writable`.
 *
 * @param message a string, or bytes, which are copied before the call returns
 * @throws {TypeError} if the message is neither, or on memory that is shared or resizable
 * @example
 * ```ts
 * import { broadcast, WebSocketStreamServer } from "sluice/server";
 *
 * const streams = new Set<import("sluice/server").ServerWebSocketStream>();
 * const { sent, missed } = await broadcast(streams, "tick", { onSlow: "drop" });
 * console.log(sent + missed.length === streams.size); // true
 * ```
 */
export function broadcast<Stream extends WebSocketStream>(
  streams: Iterable<Stream>,
  message: string | BufferSource,
  options: BroadcastOptions = {},
): Promise<BroadcastResult<Stream>> {
  const frame = createFrame(message);
  const { onSlow = "wait" } = options;
  const missed: { stream: Stream; why: BroadcastMiss }[] = [];
  const waiting: Promise<void>[] = [];
  let sent = 0;
  const miss = (stream: Stream, why: BroadcastMiss): void => {
    missed.push({ stream, why });
    getServed(stream)?.onBroadcastMissed(why);
  };
  for (const stream of streams) {
    const outcome = deliver(stream, frame, onSlow);
    if (outcome === "sent") sent++;
    else if (typeof outcome === "string") miss(stream, outcome);
    else {
      waiting.push(
        outcome.then((result) => {
          if (result === "sent") sent++;
          else miss(stream, result);
        }),
      );
    }
  }
  const pause = takeTurn(sent * frame.bytes.byteLength);
  if (pause !== null) waiting.push(pause);
  return Promise.all(waiting).then(() => ({ sent, missed }));
}

/** So much may be handed out in one turn: a loop of broadcasts that never waits would leave nobody else any time. */
const TURN_BYTES = 16_777_216;

let turnBytes = 0;

/** Waits for the next turn when this one has had its share. */
function takeTurn(byteLength: number): Promise<void> | null {
  if (turnBytes === 0) {
    setImmediate(() => {
      turnBytes = 0;
    });
  }
  turnBytes += byteLength;
  return turnBytes < TURN_BYTES ? null : new Promise((resolve) => setImmediate(resolve));
}

type Outcome = "sent" | BroadcastMiss;

function deliver(
  stream: WebSocketStream,
  frame: SharedFrame,
  onSlow: "wait" | "drop" | "latest" | "close",
): Outcome | Promise<Outcome> {
  const connection = getConnection(stream);
  if (connection === null) return "closed";
  if (connection.isRoomy) return send(connection, frame);
  switch (onSlow) {
    case "wait":
      return send(connection, frame);
    case "drop":
      return "slow";
    case "latest":
      return replaceLatest(stream, connection, frame);
    case "close":
      closeValidated(stream, CloseCode.TRY_AGAIN_LATER, "too slow");
      return "slow";
  }
}

function send(connection: Connection, frame: SharedFrame): Outcome | Promise<Outcome> {
  // A message of several frames goes out frame by frame, so that control frames find their place in between (D-17).
  const isOneFrame = frame.payload.byteLength <= DEFAULT_LIMITS.maxFrameBytes;
  const ticket = isOneFrame ? connection.sendShared(frame) : connection.send(frame.message, false);
  if (ticket === null) return "sent";
  return new Promise((resolve) => {
    ticket.onSettled = (isSent) => resolve(isSent ? "sent" : "closed");
  });
}

/** The broadcast that waits for room, one a connection. */
const latest = new WeakMap<
  Connection,
  { frame: SharedFrame; resolve: (outcome: Outcome | Promise<Outcome>) => void }
>();

function replaceLatest(stream: WebSocketStream, connection: Connection, frame: SharedFrame): Promise<Outcome> {
  return new Promise((resolve) => {
    const earlier = latest.get(connection);
    latest.set(connection, { frame, resolve });
    if (earlier !== undefined) {
      earlier.resolve("replaced");
      return;
    }
    connection.onRoomy((isRoomy) => {
      const newest = latest.get(connection);
      latest.delete(connection);
      newest?.resolve(isRoomy && getConnection(stream) !== null ? send(connection, newest.frame) : "closed");
    });
  });
}

function createFrame(message: string | BufferSource): SharedFrame {
  const isText = typeof message === "string";
  const payload = isText ? new TextEncoder().encode(message) : toBytes(message)?.slice();
  if (payload === undefined) {
    throw new TypeError(`Cannot broadcast the message as it must be a string or a BufferSource: got ${typeof message}`);
  }
  const opcode = isText ? Opcode.TEXT : Opcode.BINARY;
  const blocks = new OutputBlocks();
  new FrameWriter(blocks, null).writeFrame(opcode, true, false, payload, 0, payload.byteLength);
  const block = blocks.take() as Uint8Array;
  // A copy of its own: the block goes back to the pool of all connections.
  const bytes = block.slice();
  recycleBlock(block);
  return { message: isText ? message : payload, payload, opcode, bytes };
}
