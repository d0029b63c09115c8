import zlib from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { PerMessageDeflateParameters } from "../protocol/permessage-deflate/negotiate.ts";
import { createPerMessageDeflateCodec, type ZlibCodecOptions } from "./zlib-codec.ts";
import { ZlibContext } from "./zlib-context.ts";
import { zlibContextPool } from "./zlib-context-pool.ts";
import type { SyncZlibHandle, ZlibInternals } from "./zlib-handle.ts";
import { jobSlots } from "./zlib-job-slots.ts";
import { configureZlib, zlibSettings } from "./zlib-settings.ts";

const MIB = 2 ** 20;
const SYNC = { finishFlush: zlib.constants.Z_SYNC_FLUSH };

const takeover: PerMessageDeflateParameters = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};
const noTakeover: PerMessageDeflateParameters = {
  ...takeover,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
};

const payloadOf = (bytes: Uint8Array): Buffer => zlib.deflateRawSync(bytes, SYNC).subarray(0, -4);
const text = (length: number): Buffer =>
  Buffer.from("the quick brown fox ".repeat(length / 20 + 1)).subarray(0, length);

describe("thresholds (spec-digest E27, E28, D-30)", () => {
  const shouldDeflate = (
    parameters: PerMessageDeflateParameters,
    byteLength: number,
    options?: ZlibCodecOptions,
  ): boolean => createPerMessageDeflateCodec("server", parameters, options).deflater.shouldDeflate(byteLength);

  it("without context takeover, messages below 1 KiB stay plain", () => {
    expect(shouldDeflate(noTakeover, 1_023)).toBe(false);
    expect(shouldDeflate(noTakeover, 1_024)).toBe(true);
  });

  it("with context takeover, messages below 64 bytes stay plain", () => {
    expect(shouldDeflate(takeover, 63)).toBe(false);
    expect(shouldDeflate(takeover, 64)).toBe(true);
  });

  it("the threshold can be set", () => {
    expect(shouldDeflate(noTakeover, 10, { thresholdBytes: 10 })).toBe(true);
    expect(shouldDeflate(noTakeover, 9, { thresholdBytes: 10 })).toBe(false);
  });

  it("with a window of 8 bits of our own, nothing is compressed; the peer's 8 bits do not matter", () => {
    expect(shouldDeflate({ ...takeover, serverMaxWindowBits: 8 }, 100_000)).toBe(false);
    expect(shouldDeflate({ ...takeover, clientMaxWindowBits: 8 }, 100_000)).toBe(true);
  });

  it.each([{ level: 10 }, { level: -1 }, { memLevel: 0 }, { memLevel: 10 }, { level: 1.5 }])(
    "refuses %o",
    (options) => {
      expect(() => createPerMessageDeflateCodec("server", takeover, options)).toThrow(RangeError);
    },
  );
});

describe("directions (RFC 7692 §7.1, spec-digest E26)", () => {
  it("server_* is for what the server compresses, client_* for what the client compresses", async () => {
    const mixed = { ...takeover, serverNoContextTakeover: true };
    for (const role of ["server", "client"] as const) {
      const codec = createPerMessageDeflateCodec(role, mixed, { thresholdBytes: 0 });
      const first = await codec.deflater.deflate(text(2_000));
      const second = (await codec.deflater.deflate(text(2_000))) as Uint8Array;
      if (role === "server") expect(Buffer.from(second)).toEqual(Buffer.from(first as Uint8Array));
      else expect(second.length).toBeLessThan((first as Uint8Array).length);
      codec.inflater.inflate(payloadOf(Buffer.from("Hello")), true, 100);
      const backReference = Buffer.from("f200110000", "hex");
      // The peer's context is kept exactly when its own direction says so.
      if (role === "client") expect(() => codec.inflater.inflate(backReference, true, 100)).toThrow("too far back");
      else
        expect(Buffer.from((await codec.inflater.inflate(backReference, true, 100)) as Uint8Array).toString()).toBe(
          "Hello",
        );
    }
  });
});

/** Closes every context that no message is using. */
function emptyPools(): void {
  const { maxInflateContexts } = zlibSettings;
  configureZlib({ maxInflateContexts: 1 });
  const pool = zlibContextPool({ mode: "inflate", isHandleAllowed: true });
  const taken = Array.from({ length: pool.size }, () => pool.acquire({}, null));
  for (const context of taken) pool.discard(context);
  configureZlib({ maxInflateContexts });
}

describe("memory", () => {
  it("a codec that was not used holds nothing", () => {
    const codec = createPerMessageDeflateCodec("server", takeover);
    expect(codec.inflater.heldBytes + codec.deflater.heldBytes).toBe(0);
  });

  it("without context takeover nothing is held between messages, and the context is held within one", () => {
    const codec = createPerMessageDeflateCodec("server", noTakeover);
    codec.deflater.deflate(text(5_000));
    const payload = payloadOf(text(5_000));
    codec.inflater.inflate(payload.subarray(0, 10), false, MIB);
    expect(codec.inflater.heldBytes).toBeGreaterThan(32_768);
    codec.inflater.inflate(payload.subarray(10), true, MIB);
    expect(codec.inflater.heldBytes + codec.deflater.heldBytes).toBe(0);
  });

  it("with context takeover it is the window, and the contexts until somebody else needs them", () => {
    const before = { ...zlibSettings };
    emptyPools();
    configureZlib({ maxInflateContexts: 1, maxDeflateContexts: 1 });
    const options = { level: 2 }; // A pool of its own.
    const codec = createPerMessageDeflateCodec("server", takeover, options);
    const other = createPerMessageDeflateCodec("server", takeover, options);
    codec.inflater.inflate(payloadOf(text(100_000)), true, MIB);
    codec.deflater.deflate(text(5_000));
    expect(codec.inflater.heldBytes).toBeGreaterThan(65_536);
    expect(codec.deflater.heldBytes).toBeGreaterThan(200_000);
    other.inflater.inflate(payloadOf(text(100)), true, MIB);
    other.deflater.deflate(text(5_000));
    expect(codec.inflater.heldBytes).toBe(32_768);
    expect(codec.deflater.heldBytes).toBe(0);
    for (const each of [codec, other]) {
      each.inflater.close();
      each.deflater.close();
      expect(each.inflater.heldBytes + each.deflater.heldBytes).toBe(0);
    }
    configureZlib(before);
  });

  it("connections that take turns on one context keep their own windows", () => {
    const before = { ...zlibSettings };
    emptyPools();
    configureZlib({ maxInflateContexts: 1, maxDeflateContexts: 1 });
    const options = { level: 4, thresholdBytes: 0 };
    const pairs = [0, 1, 2].map(() => ({
      from: createPerMessageDeflateCodec("client", takeover, { ...options, level: 5 }),
      to: createPerMessageDeflateCodec("server", takeover, options),
    }));
    for (let round = 0; round < 10; round++) {
      for (const [index, { from, to }] of pairs.entries()) {
        const message = text(1_000 * (index + 1) + round);
        const payload = from.deflater.deflate(message) as Uint8Array;
        expect(Buffer.from(to.inflater.inflate(payload, true, MIB) as Uint8Array).equals(message)).toBe(true);
      }
    }
    for (const { from, to } of pairs) {
      from.deflater.close();
      to.inflater.close();
    }
    configureZlib(before);
  });

  it("contexts of connections that went away are used again", () => {
    const pool = zlibContextPool({ mode: "deflate", windowBits: 15, level: 7, memLevel: 6, isHandleAllowed: true });
    for (let round = 0; round < 50; round++) {
      const codec = createPerMessageDeflateCodec("server", takeover, { level: 7 });
      codec.deflater.deflate(text(1_000));
      codec.deflater.close();
    }
    expect(pool.size).toBe(1);
  });
});

describe("time on the main thread", () => {
  it("a small message is answered at once, a large one with a promise", async () => {
    const codec = createPerMessageDeflateCodec("server", takeover);
    expect(codec.deflater.deflate(text(65_536))).toBeInstanceOf(Uint8Array);
    const deflating = codec.deflater.deflate(text(65_537));
    expect(deflating).toBeInstanceOf(Promise);
    await deflating;
    expect(codec.inflater.inflate(payloadOf(text(65_536)), true, MIB)).toBeInstanceOf(Uint8Array);
  });

  it("no call puts out more than 256 KiB before it hands over to a thread", async () => {
    const written = vi.spyOn(ZlibContext.prototype, "writeSync");
    const codec = createPerMessageDeflateCodec("server", takeover);
    const inflating = codec.inflater.inflate(payloadOf(Buffer.alloc(8 * MIB)), true, 100 * MIB);
    expect(written.mock.calls.length).toBeLessThanOrEqual(4);
    for (const [, , , , , , outputLength] of written.mock.calls) expect(outputLength).toBeLessThanOrEqual(65_536);
    expect(inflating).toBeInstanceOf(Promise);
    expect(await inflating).toHaveLength(8 * MIB);
    // Of the rest nothing but the tail was done here.
    expect(written.mock.calls.length).toBeLessThanOrEqual(5);
  });

  it("thousands of final blocks are read over several turns", async () => {
    const codec = createPerMessageDeflateCodec("server", takeover);
    codec.inflater.inflate(payloadOf(text(1_000)), true, MIB);
    const written = vi.spyOn(ZlibContext.prototype, "writeSync");
    const blocks = Buffer.concat([...new Array(5_000).fill(Buffer.from([0x03, 0x00])), Buffer.from([0])]);
    const inflating = codec.inflater.inflate(blocks, true, MIB);
    expect(inflating).toBeInstanceOf(Promise);
    expect(written.mock.calls.length).toBeLessThanOrEqual(64);
    let turns = 0;
    let isDone = false;
    void (inflating as Promise<Uint8Array>).then(() => {
      isDone = true;
    });
    for (; !isDone; turns++) await new Promise((resolve) => setImmediate(resolve));
    expect(turns).toBeGreaterThan(5_000 / 32 / 2);
    expect(await inflating).toHaveLength(0);
  });
});

describe("jobs in threads (RFC 7692 §8, spec-digest E30)", () => {
  it("200 connections at once never have more than the limit in zlib, and all get their own bytes", async () => {
    let most = 0;
    const write = ZlibContext.prototype.write;
    let running = 0;
    vi.spyOn(ZlibContext.prototype, "write").mockImplementation(async function (this: ZlibContext, input, onOutput) {
      most = Math.max(most, ++running);
      try {
        return await write.call(this, input, onOutput);
      } finally {
        running--;
      }
    });
    const jobs = Array.from({ length: 200 }, async (_, index) => {
      const options = { asyncAboveBytes: 0, thresholdBytes: 0 };
      const parameters = index % 2 === 0 ? takeover : noTakeover;
      const from = createPerMessageDeflateCodec("client", parameters, options);
      const to = createPerMessageDeflateCodec("server", parameters, options);
      for (let round = 0; round < 3; round++) {
        const message = text(2_000 + index * 10 + round);
        const payload = (await from.deflater.deflate(message)) as Uint8Array;
        expect(Buffer.from(await to.inflater.inflate(payload, true, MIB)).equals(message)).toBe(true);
      }
      from.deflater.close();
      to.inflater.close();
    });
    await Promise.all(jobs);
    expect(most).toBe(zlibSettings.maxJobs);
    expect(jobSlots.taken).toBe(0);
  });

  it("a small job does not wait for the whole of a large one", async () => {
    const before = { ...zlibSettings };
    configureZlib({ maxJobs: 1 });
    const large = createPerMessageDeflateCodec("server", takeover);
    const small = createPerMessageDeflateCodec("server", takeover, { asyncAboveBytes: 0 });
    const finished: string[] = [];
    const first = (large.deflater.deflate(text(8 * MIB)) as Promise<Uint8Array>).then(() => finished.push("large"));
    const second = (small.deflater.deflate(text(100)) as Promise<Uint8Array>).then(() => finished.push("small"));
    await Promise.all([first, second]);
    expect(finished).toEqual(["small", "large"]);
    configureZlib(before);
  });

  it("connections that close while their jobs wait leave no slot taken", async () => {
    const codecs = Array.from({ length: 20 }, () =>
      createPerMessageDeflateCodec("server", takeover, { asyncAboveBytes: 0 }),
    );
    const jobs = codecs.map((codec) => codec.deflater.deflate(text(100_000)) as Promise<Uint8Array>);
    for (const codec of codecs) codec.deflater.close();
    for (const result of await Promise.allSettled(jobs)) expect(result.status).toBe("rejected");
    expect(jobSlots.taken).toBe(0);
  });
});

describe("when zlib fails", () => {
  /** Node's own way to report an error of the native side. */
  type Failing = SyncZlibHandle & { onerror: (message: string, errno: number, code: string) => void };
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each(["createDeflateRaw", "createInflateRaw"] as const)("%s without memory: an error that is ours", (name) => {
    emptyPools();
    vi.spyOn(zlib, name).mockImplementation(() => {
      throw Object.assign(new Error("Initialization failed"), { code: "ERR_ZLIB_INITIALIZATION_FAILED" });
    });
    const codec = createPerMessageDeflateCodec("server", noTakeover, { level: 8, memLevel: 1, asyncAboveBytes: 100 });
    const call = (): unknown =>
      name === "createDeflateRaw"
        ? codec.deflater.deflate(text(50))
        : codec.inflater.inflate(payloadOf(text(50)), true, MIB);
    expect(call).toThrow(expect.objectContaining({ code: "ERR_SLUICE_ZLIB" }));
    expect(call).toThrow("closed or busy");
  });

  it("memory that runs out within a call, here and in a thread: an error that is ours, and a closed context", async () => {
    for (const asyncAboveBytes of [1_000_000, 0]) {
      const createDeflateRaw = zlib.createDeflateRaw;
      vi.spyOn(zlib, "createDeflateRaw").mockImplementation((options) => {
        const stream = createDeflateRaw(options);
        const handle = (stream as ZlibInternals)._handle as Failing & { write: () => void };
        const fail = (): void => handle.onerror("Memory error", zlib.constants.Z_MEM_ERROR, "Z_MEM_ERROR");
        handle.writeSync = fail;
        handle.write = () => {
          setImmediate(fail);
        };
        return stream;
      });
      const codec = createPerMessageDeflateCodec("server", takeover, { level: 9, memLevel: 2, asyncAboveBytes });
      const deflate = async (): Promise<unknown> => codec.deflater.deflate(text(5_000));
      await expect(deflate()).rejects.toMatchObject({
        code: "ERR_SLUICE_ZLIB",
        message: expect.stringContaining("Memory error"),
      });
      expect(codec.deflater.heldBytes).toBe(0);
      const pool = zlibContextPool({ mode: "deflate", windowBits: 15, level: 9, memLevel: 2, isHandleAllowed: true });
      expect(pool.size).toBe(0);
      vi.restoreAllMocks();
    }
  });

  it("reports no uncaught error, in any of these cases", async () => {
    const uncaught: unknown[] = [];
    const listener = (error: unknown): void => {
      uncaught.push(error);
    };
    process.on("uncaughtExceptionMonitor", listener);
    process.on("unhandledRejection", listener);
    for (const asyncAboveBytes of [1_000_000, 0]) {
      const codec = createPerMessageDeflateCodec("server", takeover, { asyncAboveBytes });
      const inflate = async (): Promise<unknown> => codec.inflater.inflate(Buffer.from("07ffff", "hex"), true, MIB);
      await expect(inflate()).rejects.toMatchObject({ closeCode: 1007 });
      const abandoned = createPerMessageDeflateCodec("server", takeover, { asyncAboveBytes: 0 });
      abandoned.inflater.inflate(Buffer.from("07ffff", "hex"), true, MIB);
      abandoned.deflater.deflate(text(1_000));
      abandoned.deflater.close();
    }
    do await new Promise((resolve) => setImmediate(resolve));
    while (jobSlots.taken > 0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(uncaught).toEqual([]);
    process.off("uncaughtExceptionMonitor", listener);
    process.off("unhandledRejection", listener);
  });
});
