import type { Role } from "../stage.ts";

/** What came out of a stream of frames, in the order of the wire. */
export type Event =
  | readonly ["text" | "binary" | "ping" | "pong", content: string]
  | readonly ["close", closeCode: number, reason: string];

export interface Reception {
  readonly events: readonly Event[];
  /** The close code with which the connection has to be failed, or null. */
  readonly failure: number | null;
}

export interface ReceptionLimits {
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
}

/**
 * RFC 6455 for somebody who receives, once more and as simply as it can be said: the whole stream is there, and speed and
 * memory do not matter. It shares no code with the library, and tells what the library must find.
 */
export function receiveByReference(wire: Uint8Array, role: Role, limits: ReceptionLimits): Reception {
  const events: Event[] = [];
  let message: { kind: "text" | "binary"; bytes: number[]; announced: bigint; frames: number } | null = null;
  let offset = 0;
  const fail = (failure: number): Reception => ({ events, failure });

  for (;;) {
    const [first, second] = [wire[offset], wire[offset + 1]];
    if (first === undefined || second === undefined) return { events, failure: null };
    const opcode = first & 15;
    const isFin = first >= 128;
    const hasMask = second >= 128;
    if (first & 0x70 || hasMask !== (role === "server") || ![0, 1, 2, 8, 9, 10].includes(opcode)) return fail(1002);
    if (opcode >= 8 && (!isFin || (second & 127) > 125)) return fail(1002);
    if (opcode < 8 && (opcode === 0) !== (message !== null)) return fail(1002);

    // The length, which may lie behind the end of what came; so may the masking key.
    const extended = (second & 127) === 126 ? 2 : (second & 127) === 127 ? 8 : 0;
    const keyOffset = offset + 2 + extended;
    const start = keyOffset + (hasMask ? 4 : 0);
    if (start > wire.byteLength) return { events, failure: null };
    let length = BigInt(second & 127);
    if (extended > 0) {
      length = 0n;
      for (let index = offset + 2; index < keyOffset; index++) length = length * 256n + BigInt(wire[index] as number);
      if (length < (extended === 2 ? 126n : 65_536n) || length >= 2n ** 63n) return fail(1002);
      if (length >= 2n ** 53n) return fail(1009);
    }
    if (opcode < 8) {
      message ??= { kind: opcode === 1 ? "text" : "binary", bytes: [], announced: 0n, frames: 0 };
      message.announced += length;
      message.frames++;
      if (message.announced > limits.maxMessageBytes) return fail(1009);
      if (message.frames > limits.maxFragments) return fail(1008);
    }

    const end = start + Number(length);
    const payload = [...wire.subarray(start, Math.min(end, wire.byteLength))].map((byte, index) => {
      return hasMask ? byte ^ (wire[keyOffset + (index % 4)] as number) : byte;
    });
    const isWhole = end <= wire.byteLength;
    offset = end;
    if (opcode < 8 && message !== null) {
      message.bytes.push(...payload);
      const isEnd = isFin && isWhole;
      // F19: text is refused at the first byte that is wrong.
      if (message.kind === "text" && !isUtf8(message.bytes, isEnd)) return fail(1007);
      if (isEnd) {
        events.push([message.kind, hex(message.bytes)]);
        message = null;
      }
    }
    if (!isWhole) return { events, failure: null };
    if (opcode === 9) events.push(["ping", hex(payload)]);
    if (opcode === 10) events.push(["pong", hex(payload)]);
    if (opcode === 8) {
      if (payload.length === 1) return fail(1002);
      const code = payload.length === 0 ? 1005 : (payload[0] as number) * 256 + (payload[1] as number);
      const isLegal = [1000, 1001, 1002, 1003].includes(code) || (code >= 1007 && code <= 1014);
      if (payload.length > 0 && !isLegal && !(code >= 3000 && code <= 4999)) return fail(1002);
      if (!isUtf8(payload.slice(2), true)) return fail(1007);
      events.push([
        "close",
        code,
        new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(payload.slice(2))),
      ]);
      return { events, failure: null };
    }
  }
}

/** Whether these bytes are UTF-8, or, not at the end, can become it. */
function isUtf8(bytes: readonly number[], isEnd: boolean): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes), { stream: !isEnd });
    return true;
  } catch {
    return false;
  }
}

const hex = (bytes: readonly number[]): string => Buffer.from(bytes).toString("hex");
