import { constants, deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ProtocolError } from "../protocol/protocol-error.ts";
import { ProtocolEvent, WebSocketProtocol } from "../protocol/websocket-protocol.ts";
import { toConnectionLimits } from "../streams/options.ts";
import { encodeFrame } from "../testing/wire-frame.ts";
import { createPerMessageDeflateCodec } from "./zlib-codec.ts";

/** Inflated at once up to this size of input, in zlib's threads above. */
const WAYS: readonly [name: string, asyncAboveBytes: number][] = [
  ["at once", 2 ** 30],
  ["in zlib's threads", 0],
];

function deflate(message: Uint8Array): Uint8Array {
  const bytes = deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH });
  return bytes.subarray(0, bytes.length - 4);
}

/** Noise that does not compress; the same in every run. */
function noise(byteLength: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length: byteLength }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state;
  });
}

/** Reads the messages of a client's frames, in chunks. @returns the lengths of the messages, and what ended it */
async function read(
  frames: readonly Uint8Array[],
  limits: { maxInflateRatio?: number; maxMessageBytes?: number },
  asyncAboveBytes: number,
  chunkBytes = 16_384,
): Promise<{ lengths: number[]; error: unknown }> {
  const protocol = new WebSocketProtocol({
    role: "server",
    fillRandom: () => {},
    deflate: createPerMessageDeflateCodec(
      "server",
      {
        serverNoContextTakeover: false,
        clientNoContextTakeover: false,
        serverMaxWindowBits: 15,
        clientMaxWindowBits: 15,
      },
      { asyncAboveBytes },
    ),
    ...limits,
  });
  const lengths: number[] = [];
  try {
    const wire = Buffer.concat(frames);
    for (let start = 0; start < wire.length; start += chunkBytes) {
      protocol.receive(wire.subarray(start, start + chunkBytes));
      for (let event = protocol.next(true); event !== ProtocolEvent.NEED_DATA; event = protocol.next(true)) {
        if (event === ProtocolEvent.MESSAGE) lengths.push(protocol.messageByteLength);
        if (event === ProtocolEvent.PENDING) await protocol.pending;
      }
    }
    return { lengths, error: null };
  } catch (error) {
    return { lengths, error };
  } finally {
    protocol.close();
  }
}

const frame = (payload: Uint8Array): Uint8Array => encodeFrame({ opcode: 2, rsv: 4, payload }, true);
const zeros = (byteLength: number): Uint8Array => frame(deflate(new Uint8Array(byteLength)));

describe.each(WAYS)("maxInflateRatio, inflated %s", (_, asyncAboveBytes) => {
  it("above the floor a message that grows by more fails with 1008, and the error names the limit", async () => {
    const { lengths, error } = await read([zeros(1_048_576)], { maxInflateRatio: 100 }, asyncAboveBytes);
    expect(lengths).toEqual([]);
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error).toMatchObject({
      closeCode: 1008,
      code: "ERR_SLUICE_INFLATE_RATIO",
      limit: "maxInflateRatio",
      section: "RFC 7692 §8",
      message: "Cannot inflate the message as maxInflateRatio is 100",
    });
  });

  it("a message up to the floor of 256 KiB passes whatever its ratio, one byte more does not", async () => {
    const strict = { maxInflateRatio: 1 };
    expect(await read([zeros(262_144)], strict, asyncAboveBytes)).toEqual({ lengths: [262_144], error: null });
    expect((await read([zeros(262_145)], strict, asyncAboveBytes)).error).toMatchObject({ limit: "maxInflateRatio" });
  });

  it("is counted per message: many small ones with a high ratio pass", async () => {
    const frames = Array.from({ length: 20 }, () => zeros(100_000));
    const { lengths, error } = await read(frames, { maxInflateRatio: 2 }, asyncAboveBytes);
    expect(error).toBeNull();
    expect(lengths).toEqual(Array.from({ length: 20 }, () => 100_000));
  });

  it("a large message below the ratio passes, in one frame and in fragments, some of them empty", async () => {
    // Half noise, half zeros: about 2 to 1.
    const message = new Uint8Array(1_000_000);
    const random = noise(500_000);
    for (let at = 0; at < 500_000; at += 1_000) message.set(random.subarray(at, at + 1_000), 2 * at);
    const payload = deflate(message);
    const limits = { maxInflateRatio: 3 };
    expect(await read([frame(payload)], limits, asyncAboveBytes)).toEqual({ lengths: [1_000_000], error: null });
    const middle = payload.length >> 1;
    const fragments = [
      encodeFrame({ opcode: 2, rsv: 4, isFin: false }, true),
      encodeFrame({ opcode: 0, isFin: false, payload: payload.subarray(0, middle) }, true),
      encodeFrame({ opcode: 0, isFin: false }, true),
      encodeFrame({ opcode: 0, isFin: true, payload: payload.subarray(middle) }, true),
    ];
    expect(await read(fragments, limits, asyncAboveBytes)).toEqual({ lengths: [1_000_000], error: null });
    expect((await read(fragments, { maxInflateRatio: 1.5 }, asyncAboveBytes)).error).toMatchObject({ closeCode: 1008 });
  });

  it("fails while the message is inflated, not at its end", async () => {
    const bomb = deflate(new Uint8Array(50_000_000));
    // The rest of the frame never comes.
    const part = encodeFrame({ opcode: 2, rsv: 4, payload: bomb, isFin: false }, true).subarray(0, 4_096);
    const { error } = await read([part], { maxInflateRatio: 200 }, asyncAboveBytes);
    expect(error).toMatchObject({ code: "ERR_SLUICE_INFLATE_RATIO" });
  });

  it("the smaller of the two limits is the one that is named", async () => {
    const bomb = zeros(4_194_304);
    const size = { maxMessageBytes: 300_000 };
    expect((await read([bomb], { ...size, maxInflateRatio: 900 }, asyncAboveBytes)).error).toMatchObject({
      closeCode: 1009,
      limit: "maxMessageBytes",
    });
    expect((await read([bomb], { ...size, maxInflateRatio: 20 }, asyncAboveBytes)).error).toMatchObject({
      closeCode: 1008,
      limit: "maxInflateRatio",
    });
  });

  it("corrupt data stays 1007", async () => {
    const corrupt = frame(Uint8Array.of(0x07, 0xff, 0xff));
    const { error } = await read([corrupt], { maxInflateRatio: 2 }, asyncAboveBytes);
    expect(error).toMatchObject({ closeCode: 1007 });
  });

  it("is off by default: 16 MiB of zeros pass", async () => {
    const { lengths, error } = await read([zeros(16_777_216)], {}, asyncAboveBytes);
    expect({ lengths, error }).toEqual({ lengths: [16_777_216], error: null });
  });
});

describe("maxInflateRatio as an option", () => {
  it.each([1, 1.5, 1_032, Number.POSITIVE_INFINITY, undefined])("takes %j", (value) => {
    expect(toConnectionLimits({ maxInflateRatio: value }).maxInflateRatio).toBe(value);
  });

  it.each([0, 0.99, -1, Number.NaN, "100", null])("refuses %j", (value) => {
    expect(() => toConnectionLimits({ maxInflateRatio: value as number })).toThrow(
      new RangeError(`Cannot use maxInflateRatio as it must be a number of at least 1: current value is ${value}`),
    );
  });
});
