import type { ProtocolError } from "./protocol-error.ts";
import { ProtocolEvent, WebSocketProtocol, type WebSocketProtocolOptions } from "./websocket-protocol.ts";

/**
 * Test support, not part of the library: feeds the same bytes to fresh protocols, whole, byte by byte, and cut at random,
 * and makes sure that nothing depends on the cuts (F01).
 */

/** Events in short: `["text", "a"]`, `["binary", [1, 2]]`, `["ping", []]`, `["pong", []]`, `["close", 1000, ""]`. */
export type ReceivedEvent = [type: string, ...data: unknown[]];

export interface Outcome {
  events: ReceivedEvent[];
  /** Of the ProtocolError, or null: close code and the stable code. */
  error: [closeCode: number, code: string] | null;
}

export type ProtocolOptions = Partial<WebSocketProtocolOptions> & Pick<WebSocketProtocolOptions, "role">;

/** `bytes("81 05 48")` */
export function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.split(/\s+/).filter(Boolean), (byte) => Number.parseInt(byte, 16));
}

/** `hex(Uint8Array.of(129, 5))` is `"81 05"`. */
export function hex(of: Uint8Array): string {
  return Array.from(of, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Masking keys are 37 fa 21 3d, as in the examples of RFC 6455 §5.7. */
export function createProtocol(options: ProtocolOptions): WebSocketProtocol {
  const key = [0x37, 0xfa, 0x21, 0x3d];
  return new WebSocketProtocol({
    fillRandom: (target) => {
      for (let i = 0; i < target.byteLength; i++) target[i] = key[i & 3] as number;
    },
    ...options,
  });
}

/** Everything that was encoded. */
export function takeAll(protocol: WebSocketProtocol): Uint8Array {
  const taken: number[] = [];
  for (let block = protocol.takeOutput(); block !== null; block = protocol.takeOutput()) {
    for (const byte of block) taken.push(byte);
    protocol.recycle(block);
  }
  return Uint8Array.from(taken);
}

/** All events that are there; `NEED_DATA`, `STALLED` and `PENDING` end the list and are not in it. */
export function nextAll(protocol: WebSocketProtocol, isMessageWanted: boolean = true): ReceivedEvent[] {
  return collect(protocol, isMessageWanted, []);
}

/** Adds to `events`, so that those in front of a fault are not lost. */
function collect(protocol: WebSocketProtocol, isMessageWanted: boolean, events: ReceivedEvent[]): ReceivedEvent[] {
  for (;;) {
    const event = protocol.next(isMessageWanted);
    const { message } = protocol;
    if (event === ProtocolEvent.MESSAGE)
      events.push(typeof message === "string" ? ["text", message] : ["binary", [...message]]);
    else if (event === ProtocolEvent.PING) events.push(["ping", [...protocol.payload]]);
    else if (event === ProtocolEvent.PONG) events.push(["pong", [...protocol.payload]]);
    else if (event === ProtocolEvent.CLOSE) events.push(["close", protocol.closeCode, protocol.closeReason]);
    else return events;
  }
}

/** The outcome of these chunks. Each is lent at an odd offset of memory that is overwritten afterwards. */
export function receiveChunks(chunks: readonly Uint8Array[], options: ProtocolOptions): Outcome {
  const protocol = createProtocol(options);
  const events: ReceivedEvent[] = [];
  try {
    for (const [index, chunk] of chunks.entries()) {
      const memory = new Uint8Array(chunk.byteLength + 3);
      const lent = memory.subarray(index & 3, (index & 3) + chunk.byteLength);
      lent.set(chunk);
      protocol.receive(lent);
      collect(protocol, true, events);
      protocol.retain();
      memory.fill(0xee);
    }
    return { events, error: null };
  } catch (error) {
    const { closeCode, code, name } = error as ProtocolError;
    if (name !== "ProtocolError") throw error;
    return { events, error: [closeCode, code] };
  }
}

/** The outcome of `wire`, the same however it is cut. @throws {Error} if one cut gives another outcome */
export function receiveInAllSplits(wire: Uint8Array, options: ProtocolOptions): Outcome {
  const whole = receiveChunks([wire], options);
  for (const [name, chunks] of splitsOf(wire)) {
    const outcome = receiveChunks(chunks, options);
    if (JSON.stringify(outcome) !== JSON.stringify(whole)) {
      throw new Error(`Cut ${name}: ${JSON.stringify(outcome)} instead of ${JSON.stringify(whole)}`);
    }
  }
  return whole;
}

function splitsOf(wire: Uint8Array): [name: string, chunks: Uint8Array[]][] {
  const splits: [string, Uint8Array[]][] = [["byte by byte", Array.from(wire, (byte) => Uint8Array.of(byte))]];
  for (let seed = 1; seed <= 20; seed++) {
    const random = createRandom(seed);
    const longest = 1 + Math.floor(random() * 2 * Math.sqrt(wire.byteLength + 4));
    const chunks: Uint8Array[] = [];
    for (let start = 0; start < wire.byteLength; ) {
      const length = Math.floor(random() * (longest + 1));
      chunks.push(wire.subarray(start, start + length));
      start += length;
    }
    splits.push([`at random, seed ${seed}`, chunks]);
  }
  return splits;
}

/** A small generator (mulberry32) so that a seed gives the same cuts everywhere. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
