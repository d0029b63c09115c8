import zlib from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PerMessageDeflateCodec } from "../protocol/permessage-deflate/codec.ts";
import type { PerMessageDeflateParameters } from "../protocol/permessage-deflate/negotiate.ts";
import { createPerMessageDeflateCodec, type ZlibCodecOptions } from "./zlib-codec.ts";

const MIB = 2 ** 20;

/** The three ways through: at once, in threads, and in threads with the public API only. */
const PATHS: readonly (readonly [string, ZlibCodecOptions])[] = [
  ["at once", { thresholdBytes: 0 }],
  ["in threads", { thresholdBytes: 0, asyncAboveBytes: 0 }],
  ["with the public API only", { thresholdBytes: 0, isHandleAllowed: false }],
];

function parameters(changes: Partial<PerMessageDeflateParameters> = {}): PerMessageDeflateParameters {
  return {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
    ...changes,
  };
}

const withoutTakeover: PerMessageDeflateParameters = parameters({
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
});

async function inflate(
  codec: PerMessageDeflateCodec,
  bytes: Uint8Array,
  maxOutputBytes: number = 100 * MIB,
): Promise<Buffer> {
  return Buffer.from(await codec.inflater.inflate(bytes, true, maxOutputBytes));
}

async function inflateSlices(codec: PerMessageDeflateCodec, slices: readonly Uint8Array[]): Promise<Buffer> {
  const outputs: Buffer[] = [];
  for (const [index, slice] of slices.entries()) {
    const output = await codec.inflater.inflate(slice, index === slices.length - 1, 100 * MIB);
    outputs.push(Buffer.from(output));
  }
  return Buffer.concat(outputs);
}

/** Text that has something to refer to, near and far. */
function sample(length: number, seed: number = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    bytes[i] =
      i > 100 && (state >> 16) % 8 !== 0 ? (bytes[i - 1 - ((state >> 20) % 100)] as number) : (state >> 16) & 0xff;
  }
  return bytes;
}

function noise(length: number, seed: number = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}

/** An independent sender: one raw stream of `node:zlib` that lives as long as the connection. */
class PeerDeflater {
  readonly #stream: zlib.DeflateRaw;
  readonly #keepsContext: boolean;
  #output: Buffer[] = [];

  constructor(windowBits: number, keepsContext: boolean) {
    this.#stream = zlib.createDeflateRaw({ windowBits });
    this.#keepsContext = keepsContext;
    this.#stream.on("data", (bytes: Buffer) => this.#output.push(bytes));
  }

  async deflate(message: Uint8Array): Promise<Buffer> {
    if (message.length === 0) return Buffer.from([0]);
    this.#stream.write(message);
    await new Promise<void>((resolve) => this.#stream.flush(zlib.constants.Z_SYNC_FLUSH, resolve));
    const bytes = Buffer.concat(this.#output);
    this.#output = [];
    if (!this.#keepsContext) this.#stream.reset();
    expect(bytes.subarray(-4).toString("hex")).toBe("0000ffff");
    return bytes.subarray(0, -4);
  }
}

/** An independent receiver. */
class PeerInflater {
  readonly #stream: zlib.InflateRaw;
  readonly #keepsContext: boolean;
  #output: Buffer[] = [];

  constructor(windowBits: number, keepsContext: boolean) {
    this.#stream = zlib.createInflateRaw({ windowBits });
    this.#keepsContext = keepsContext;
    this.#stream.on("data", (bytes: Buffer) => this.#output.push(bytes));
  }

  async inflate(payload: Uint8Array): Promise<Buffer> {
    this.#stream.write(payload);
    this.#stream.write(Buffer.from("0000ffff", "hex"));
    await new Promise<void>((resolve) => this.#stream.flush(zlib.constants.Z_SYNC_FLUSH, resolve));
    const bytes = Buffer.concat(this.#output);
    this.#output = [];
    if (!this.#keepsContext) this.#stream.reset();
    return bytes;
  }
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

describe.each(PATHS)("permessage-deflate %s", (_, options) => {
  const server = (changes: Partial<PerMessageDeflateParameters> = {}): PerMessageDeflateCodec =>
    createPerMessageDeflateCodec("server", parameters(changes), options);

  describe("RFC 7692 §7.2.3 Examples", () => {
    it("§7.2.3.1 reads a message in one block", async () => {
      expect((await inflate(server(), hex("f2 48 cd c9 c9 07 00"))).toString()).toBe("Hello");
    });

    it("§7.2.3.1 reads it in two fragments", async () => {
      expect((await inflateSlices(server(), [hex("f2 48 cd"), hex("c9 c9 07 00")])).toString()).toBe("Hello");
    });

    it("§7.2.3.2 shares the window between messages", async () => {
      const codec = server();
      expect((await inflate(codec, hex("f2 48 cd c9 c9 07 00"))).toString()).toBe("Hello");
      expect((await inflate(codec, hex("f2 00 11 00 00"))).toString()).toBe("Hello");
      expect((await inflate(codec, hex("f2 00 11 00 00"))).toString()).toBe("Hello");
    });

    it("§7.2.3.3 reads a block without compression", async () => {
      expect((await inflate(server(), hex("00 05 00 fa ff 48 65 6c 6c 6f 00"))).toString()).toBe("Hello");
    });

    it("§7.2.3.4 reads a block with BFINAL set", async () => {
      expect((await inflate(server(), hex("f3 48 cd c9 c9 07 00 00"))).toString()).toBe("Hello");
    });

    it("§7.2.3.5 reads two blocks in one message", async () => {
      expect((await inflate(server(), hex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00"))).toString()).toBe("Hello");
    });

    it("§7.2.3.6 reads and writes an empty message", async () => {
      const codec = server();
      expect(await inflate(codec, hex("00"))).toHaveLength(0);
      expect(Buffer.from((await codec.deflater.deflate(new Uint8Array(0))) as Uint8Array)).toEqual(hex("00"));
      expect((await inflate(codec, hex("f2 48 cd c9 c9 07 00"))).toString()).toBe("Hello");
    });

    it("§7.2.3.1 and §7.2.3.2 write what they show", async () => {
      const codec = createPerMessageDeflateCodec("server", parameters(), { ...options, level: 6, memLevel: 8 });
      expect(Buffer.from((await codec.deflater.deflate(Buffer.from("Hello"))) as Uint8Array)).toEqual(
        hex("f2 48 cd c9 c9 07 00"),
      );
      expect(Buffer.from((await codec.deflater.deflate(Buffer.from("Hello"))) as Uint8Array)).toEqual(
        hex("f2 00 11 00 00"),
      );
    });
  });

  describe("RFC 7692 §7.2.3.4 blocks with BFINAL set", () => {
    it("goes on behind a final block with the window of what came before", async () => {
      // The second block is the back-reference of §7.2.3.2.
      const codec = server();
      expect((await inflate(codec, hex("f3 48 cd c9 c9 07 00  f2 00 11 00 00"))).toString()).toBe("HelloHello");
      expect((await inflate(codec, hex("f2 00 11 00 00"))).toString()).toBe("Hello");
    });

    it("keeps the window from one message to the next over a final block", async () => {
      const codec = server();
      expect((await inflate(codec, hex("f3 48 cd c9 c9 07 00 00"))).toString()).toBe("Hello");
      expect((await inflate(codec, hex("f2 00 11 00 00"))).toString()).toBe("Hello");
      expect((await inflate(codec, hex("f3 00 11 00 00"))).toString()).toBe("Hello");
      expect((await inflate(codec, hex("f2 00 11 00 00"))).toString()).toBe("Hello");
    });

    it("keeps the window inside a message when context takeover is off, and drops it after", async () => {
      const codec = createPerMessageDeflateCodec("server", withoutTakeover, options);
      const message = hex("f3 48 cd c9 c9 07 00  f2 00 11 00 00");
      expect((await inflate(codec, message)).toString()).toBe("HelloHello");
      expect((await inflateSlices(codec, [message.subarray(0, 7), message.subarray(7)])).toString()).toBe("HelloHello");
      await expect(inflate(codec, hex("f2 00 11 00 00"))).rejects.toMatchObject({ closeCode: 1007 });
    });

    it("reads several in one message, in any split", async () => {
      const parts = [sample(40_000), Buffer.from("Hello"), Buffer.alloc(0), sample(70_000, 2)];
      const message = Buffer.concat([...parts.map((part) => zlib.deflateRawSync(part)), hex("00")]);
      for (const size of [message.length, 1_000, 7]) {
        const slices: Buffer[] = [];
        for (let start = 0; start < Math.min(message.length, size * 3); start += size)
          slices.push(message.subarray(start, start + size));
        slices.push(message.subarray(Math.min(message.length, size * 3)));
        expect((await inflateSlices(server(), slices)).equals(Buffer.concat(parts))).toBe(true);
      }
    });

    it("reads a message of nothing but final blocks", async () => {
      const blocks = Buffer.concat([...new Array(2_000).fill(hex("03 00")), hex("00")]);
      const codec = server();
      expect((await inflate(codec, hex("f2 48 cd c9 c9 07 00"))).toString()).toBe("Hello");
      expect(await inflate(codec, blocks)).toHaveLength(0);
      expect((await inflate(codec, hex("f2 00 11 00 00"))).toString()).toBe("Hello");
    });

    it("reads a message whose closing empty block is itself final", async () => {
      // "Hello" in a fixed block, then the header of a stored block with BFINAL; the tail completes it.
      const codec = server();
      const message = Buffer.concat([hex("f2 48 cd c9 c9 07 00 00 00 ff ff"), hex("01")]);
      expect((await inflate(codec, message)).toString()).toBe("Hello");
      expect((await inflate(codec, hex("f2 00 11 00 00"))).toString()).toBe("Hello");
    });

    it("reads a message that ends with the final block, without an empty one behind it", async () => {
      const codec = server();
      expect((await inflate(codec, hex("f3 48 cd c9 c9 07 00"))).toString()).toBe("Hello");
      expect((await inflate(codec, hex("f2 00 11 00 00"))).toString()).toBe("Hello");
    });
  });

  describe("RFC 7692 §7.2.2 Decompression", () => {
    it("fails with 1007 on corrupt data", async () => {
      await expect(inflate(server(), hex("07 ff ff"))).rejects.toMatchObject({
        name: "ProtocolError",
        closeCode: 1007,
        code: "ERR_SLUICE_INVALID_DEFLATE_DATA",
      });
    });

    it("fails with 1007 on a reference to before the start", async () => {
      await expect(inflate(server(), hex("f2 00 11 00 00"))).rejects.toMatchObject({ closeCode: 1007 });
    });

    it("fails with 1007 when the message is cut off inside a block", async () => {
      const whole = zlib.deflateRawSync(sample(3_000), { finishFlush: zlib.constants.Z_SYNC_FLUSH });
      for (const length of [1_000, 1_500, whole.length - 100]) {
        await expect(inflate(server(), whole.subarray(0, length))).rejects.toMatchObject({ closeCode: 1007 });
      }
      // In the middle of a block without compression.
      await expect(inflate(server(), hex("00 05 00 fa ff 48 65"))).rejects.toMatchObject({ closeCode: 1007 });
      await expect(inflate(server(), hex("00 00 01 ff fe 48 65"))).rejects.toMatchObject({ closeCode: 1007 });
    });

    it("fails with 1007 on any corrupt byte, or reads the message", async () => {
      const whole = zlib.deflateRawSync(sample(600), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
      for (let index = 0; index < whole.length; index += 7) {
        const damaged = Buffer.from(whole);
        damaged[index] = (damaged[index] as number) ^ 0x55;
        const result = await inflate(server(), damaged).catch((error: unknown) => error);
        if (result instanceof Error) expect(result).toMatchObject({ closeCode: 1007 });
      }
    });

    it("reads a compressed message without any payload as empty", async () => {
      const codec = server();
      expect((await inflate(codec, hex("f2 48 cd c9 c9 07 00"))).toString()).toBe("Hello");
      expect(await inflate(codec, hex(""))).toHaveLength(0);
      expect(await inflateSlices(codec, [hex(""), hex("")])).toHaveLength(0);
      expect((await inflate(codec, hex("f2 00 11 00 00"))).toString()).toBe("Hello");
    });

    it("reads a last fragment without payload", async () => {
      const codec = server();
      expect((await inflateSlices(codec, [hex("f2 48 cd c9 c9 07 00"), hex("")])).toString()).toBe("Hello");
      expect((await inflateSlices(codec, [hex(""), hex("f2 00 11 00 00"), hex("")])).toString()).toBe("Hello");
    });

    it("has read its input when the call returns", async () => {
      const bytes = sample(700_000);
      const payload = zlib.deflateRawSync(bytes, { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
      const result = server().inflater.inflate(payload, true, MIB);
      payload.fill(0xff);
      expect(Buffer.from(await result).equals(bytes)).toBe(true);
    });

    it("does not change its input", async () => {
      const payload = zlib.deflateRawSync(sample(5_000), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
      const copy = Buffer.from(payload);
      await inflate(server(), payload);
      expect(payload.equals(copy)).toBe(true);
    });
  });

  describe("RFC 7692 §8: limits while inflating (spec-digest E24)", () => {
    it("allows a message of exactly the limit, and fails with 1009 one byte above", async () => {
      for (const length of [1, 5, 65_535, 65_536, 65_537, 300_000]) {
        const payload = zlib
          .deflateRawSync(sample(length), { finishFlush: zlib.constants.Z_SYNC_FLUSH })
          .subarray(0, -4);
        expect(await inflate(server(), payload, length)).toHaveLength(length);
        await expect(inflate(server(), payload, length - 1)).rejects.toMatchObject({
          closeCode: 1009,
          limit: "maxMessageBytes",
          code: "ERR_SLUICE_MESSAGE_TOO_BIG",
        });
      }
    });

    it("fails a bomb with 1009 after the limit, not after the bomb", async () => {
      const bomb = zlib
        .deflateRawSync(Buffer.alloc(64 * MIB), { finishFlush: zlib.constants.Z_SYNC_FLUSH })
        .subarray(0, -4);
      expect(bomb.length).toBeLessThan(70_000);
      await expect(inflate(server(), bomb, MIB)).rejects.toMatchObject({ closeCode: 1009 });
      await expect(inflate(server(), bomb, 10)).rejects.toMatchObject({ closeCode: 1009 });
    });

    it("reads an empty message when nothing more is allowed", async () => {
      expect(await inflate(server(), hex("00"), 0)).toHaveLength(0);
      await expect(inflate(server(), hex("f2 48 cd c9 c9 07 00"), 0)).rejects.toMatchObject({ closeCode: 1009 });
    });
  });

  describe("against streams of node:zlib", () => {
    const windows = [9, 10, 12, 15] as const;
    const message = fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 3_000 }).map((length) => sample(length, length + 1)) },
      { weight: 2, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(0, 1, 32_767, 32_768, 65_535, 65_536, 65_537).map((length) => sample(length, 9)),
      },
      { weight: 1, arbitrary: fc.constantFrom(10, 100_000).map((length) => noise(length)) },
    );

    it("reads what they write, whole and in slices", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(message, { minLength: 1, maxLength: 6 }),
          fc.constantFrom(...windows),
          fc.boolean(),
          fc.integer({ min: 1, max: 20_000 }),
          async (messages, windowBits, keepsContext, sliceBytes) => {
            const peer = new PeerDeflater(windowBits, keepsContext);
            const codec = server({ clientMaxWindowBits: windowBits, clientNoContextTakeover: !keepsContext });
            for (const bytes of messages) {
              const payload = await peer.deflate(bytes);
              const slices: Buffer[] = [];
              for (let start = 0; start < payload.length; start += sliceBytes)
                slices.push(payload.subarray(start, start + sliceBytes));
              expect(
                (
                  await inflateSlices(
                    codec,
                    slices.slice(0, 40).concat(slices.length > 40 ? [Buffer.concat(slices.slice(40))] : []),
                  )
                ).equals(bytes),
              ).toBe(true);
            }
            codec.inflater.close();
          },
        ),
        { numRuns: 60 },
      );
    });

    it("writes what they read", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(message, { minLength: 1, maxLength: 6 }),
          fc.constantFrom(...windows),
          fc.boolean(),
          fc.constantFrom(0, 1, 3, 6, 9),
          async (messages, windowBits, keepsContext, level) => {
            const peer = new PeerInflater(windowBits, keepsContext);
            const codec = createPerMessageDeflateCodec(
              "server",
              parameters({ serverMaxWindowBits: windowBits, serverNoContextTakeover: !keepsContext }),
              { ...options, level },
            );
            for (const bytes of messages) {
              const payload = await codec.deflater.deflate(bytes);
              if (payload === null) expect(keepsContext).toBe(false);
              else expect((await peer.inflate(payload)).equals(bytes)).toBe(true);
            }
            codec.deflater.close();
          },
        ),
        { numRuns: 60 },
      );
    });

    it("reads a window of 8 bits", async () => {
      // A peer that keeps distances within 256 bytes: level 0 uses none.
      const codec = server({ clientMaxWindowBits: 8 });
      const bytes = sample(2_000);
      const payload = zlib
        .deflateRawSync(bytes, { level: 0, finishFlush: zlib.constants.Z_SYNC_FLUSH })
        .subarray(0, -4);
      expect((await inflate(codec, payload)).equals(bytes)).toBe(true);
      expect((await inflate(codec, payload)).equals(bytes)).toBe(true);
    });

    it.each([0, 1, 65_535, 65_536, 65_537, MIB])(
      "carries %i bytes from one codec to the other, twice",
      async (length) => {
        for (const both of [parameters(), withoutTakeover]) {
          const from = createPerMessageDeflateCodec("client", both, options);
          const to = createPerMessageDeflateCodec("server", both, options);
          const bytes = sample(length);
          for (let round = 0; round < 2; round++) {
            const payload = await from.deflater.deflate(bytes);
            if (payload === null) expect(length).toBe(1);
            else expect((await inflate(to, payload)).equals(bytes)).toBe(true);
          }
        }
      },
    );
  });

  it("reset compressors leave nothing behind: the same message gives the same bytes", async () => {
    const codec = createPerMessageDeflateCodec("server", withoutTakeover, options);
    const first = await codec.deflater.deflate(sample(3_000));
    await codec.deflater.deflate(sample(50_000, 3));
    const other = createPerMessageDeflateCodec("server", withoutTakeover, options);
    expect(Buffer.from((await other.deflater.deflate(sample(3_000))) as Uint8Array)).toEqual(
      Buffer.from(first as Uint8Array),
    );
  });

  it("says when compressing does not pay, and goes on", async () => {
    const codec = createPerMessageDeflateCodec("server", withoutTakeover, options);
    for (const length of [1, 10, 2_000, 65_536, 600_000]) {
      expect(await codec.deflater.deflate(noise(length))).toBeNull();
      const bytes = sample(2_000);
      const payload = (await codec.deflater.deflate(bytes)) as Uint8Array;
      expect(
        zlib
          .inflateRawSync(Buffer.concat([payload, hex("00 00 ff ff")]), { finishFlush: zlib.constants.Z_SYNC_FLUSH })
          .equals(bytes),
      ).toBe(true);
    }
  });

  it("sends what does not pay compressed when the context is kept", async () => {
    const codec = server();
    const peer = new PeerInflater(15, true);
    for (const bytes of [noise(10), noise(100_000), sample(100), noise(70_000, 4), sample(100)]) {
      expect((await peer.inflate((await codec.deflater.deflate(bytes)) as Uint8Array)).equals(bytes)).toBe(true);
    }
  });

  it("refuses another call after an error, and after close()", async () => {
    const codec = server();
    await expect(inflate(codec, hex("07 ff ff"))).rejects.toMatchObject({ closeCode: 1007 });
    await expect(inflate(codec, hex("00"))).rejects.toThrow("Cannot inflate");
    codec.inflater.close();
    codec.deflater.close();
    codec.deflater.close();
    expect(() => codec.deflater.deflate(Buffer.from("x"))).toThrow("Cannot deflate");
    expect(codec.inflater.heldBytes + codec.deflater.heldBytes).toBe(0);
  });

  it("close() in the middle of a job settles it", async () => {
    for (const wait of [0, 1]) {
      const codec = server();
      const bomb = zlib
        .deflateRawSync(Buffer.alloc(8 * MIB), { finishFlush: zlib.constants.Z_SYNC_FLUSH })
        .subarray(0, -4);
      const inflating = codec.inflater.inflate(bomb, true, 100 * MIB);
      const deflating = codec.deflater.deflate(sample(MIB));
      expect(inflating).toBeInstanceOf(Promise);
      expect(deflating).toBeInstanceOf(Promise);
      for (let turn = 0; turn < wait; turn++) await new Promise((resolve) => setImmediate(resolve));
      codec.inflater.close();
      codec.deflater.close();
      await expect(inflating).rejects.toThrow("connection is closed");
      await expect(deflating).rejects.toThrow("connection is closed");
    }
  });

  it("close() in the middle of a message gives its context back", async () => {
    const codec = server();
    expect((await codec.inflater.inflate(hex("f2 48 cd"), false, 100)).length).toBeLessThan(5);
    codec.inflater.close();
    expect(codec.inflater.heldBytes).toBe(0);
    expect((await inflate(server(), hex("f2 48 cd c9 c9 07 00"))).toString()).toBe("Hello");
  });
});
