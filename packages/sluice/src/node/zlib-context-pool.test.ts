import { afterEach, describe, expect, it, vi } from "vitest";
import { createPerMessageDeflateCodec } from "./zlib-codec.ts";
import { ZlibContextPool } from "./zlib-context-pool.ts";
import { configureZlib, type ZlibSettings, zlibSettings } from "./zlib-settings.ts";

const kind = { mode: "inflate", isHandleAllowed: true } as const;

function create(limit: number): ZlibContextPool {
  return new ZlibContextPool(kind, () => limit);
}

describe("ZlibContextPool", () => {
  it("gives an owner its context again as long as nobody else needed it", () => {
    const pool = create(1);
    const [a, b] = [{}, {}];
    const context = pool.acquire(a, null);
    pool.release(context);
    expect(pool.acquire(a, context)).toBe(context);
    pool.release(context);
    const taken = pool.acquire(b, null);
    expect(taken).toBe(context);
    expect(taken.owner).toBe(b);
    pool.release(taken);
    const again = pool.acquire(a, context);
    expect(again.owner).toBe(a);
    expect(pool.size).toBe(1);
    pool.discard(again);
  });

  it("takes over the context that was not used for longest", () => {
    const pool = create(3);
    const owners = [{}, {}, {}];
    const contexts = owners.map((owner) => pool.acquire(owner, null));
    for (const context of contexts) pool.release(context);
    // All were used just now: the hand clears the marks on its way round and takes the first that it meets again.
    pool.acquire({}, null);
    expect(pool.size).toBe(3);
    const left = contexts.filter((context) => owners.includes(context.owner as object));
    expect(left).toHaveLength(2);
    const [used, unused] = left as [(typeof left)[0], (typeof left)[0]];
    pool.release(pool.acquire(used.owner as object, used));
    expect(pool.acquire({}, null)).toBe(unused);
    for (const context of [...contexts]) pool.discard(context);
    expect(pool.size).toBe(0);
  });

  it("never takes a context that is in use, but makes another, and frees what is above the limit", () => {
    const pool = create(1);
    const first = pool.acquire({}, null);
    const second = pool.acquire({}, null);
    expect(second).not.toBe(first);
    expect(pool.size).toBe(2);
    pool.release(second);
    expect(pool.size).toBe(1);
    expect(second.isClosed).toBe(true);
    expect(first.isClosed).toBe(false);
    pool.free(first);
    expect(pool.size).toBe(1);
    expect(pool.acquire({}, null)).toBe(first);
    pool.discard(first);
    pool.discard(first);
    expect(pool.size).toBe(0);
  });

  it("does not hand out a closed context", () => {
    const pool = create(4);
    const owner = {};
    const context = pool.acquire(owner, null);
    context.close();
    pool.free(context);
    expect(pool.size).toBe(0);
    const next = pool.acquire(owner, context);
    expect(next).not.toBe(context);
    pool.discard(next);
  });

  describe("when idle", () => {
    const { idleMs } = zlibSettings;
    afterEach(() => {
      vi.useRealTimers();
      configureZlib({ idleMs });
    });

    it("frees what was not used for the idle time, and only that", () => {
      vi.useFakeTimers();
      configureZlib({ idleMs: 1_000 });
      const pool = create(10);
      const owner = {};
      const [used, unused, pinned] = [pool.acquire(owner, null), pool.acquire({}, null), pool.acquire({}, null)];
      pool.release(used);
      pool.free(unused);
      vi.advanceTimersByTime(1_000);
      expect(pool.size).toBe(3);
      pool.release(pool.acquire(owner, used));
      vi.advanceTimersByTime(1_000);
      expect(unused.isClosed).toBe(true);
      expect(used.isClosed).toBe(false);
      expect(pool.size).toBe(2);
      vi.advanceTimersByTime(2_000);
      expect(used.isClosed).toBe(true);
      expect(pinned.isClosed).toBe(false);
      expect(vi.getTimerCount()).toBe(1);
      pool.discard(pinned);
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});

describe("configureZlib()", () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("refuses %d", (value) => {
    const before = { ...zlibSettings };
    expect(() => configureZlib({ maxJobs: value })).toThrow(RangeError);
    expect(zlibSettings).toEqual(before);
  });

  it("refuses a name that there is not, and changes nothing", () => {
    const before = { ...zlibSettings };
    expect(() => configureZlib({ maxJobs: 1, concurrency: 1 } as Partial<ZlibSettings>)).toThrow(TypeError);
    expect(() => configureZlib({ toString: 1 } as unknown as Partial<ZlibSettings>)).toThrow(TypeError);
    expect(zlibSettings).toEqual(before);
  });

  it("leaves as it is what is left out or undefined", () => {
    const before = { ...zlibSettings };
    configureZlib({ maxJobs: undefined } as unknown as Partial<ZlibSettings>);
    expect(zlibSettings).toEqual(before);
  });

  it("asyncAboveBytes decides which messages of connections that begin later go to zlib's threads", async () => {
    const { asyncAboveBytes } = zlibSettings;
    const parameters = {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 15,
      clientMaxWindowBits: 15,
    };
    const message = new Uint8Array(10_000);
    const before = createPerMessageDeflateCodec("server", parameters);
    configureZlib({ asyncAboveBytes: 9_999 });
    const after = createPerMessageDeflateCodec("server", parameters);
    configureZlib({ asyncAboveBytes });
    try {
      expect(before.deflater.deflate(message)).toBeInstanceOf(Uint8Array);
      const later = after.deflater.deflate(message);
      expect(later).toBeInstanceOf(Promise);
      expect(await later).toEqual(before.deflater.deflate(message));
      expect(after.deflater.deflate(message.subarray(1))).toBeInstanceOf(Uint8Array);
    } finally {
      for (const { inflater, deflater } of [before, after]) {
        inflater.close();
        deflater.close();
      }
    }
  });
});
