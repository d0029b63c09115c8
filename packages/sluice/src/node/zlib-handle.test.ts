import zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { hasSyncZlib, probeSyncZlib, type SyncZlibHandle, type ZlibInternals } from "./zlib-handle.ts";

type WriteSync = SyncZlibHandle["writeSync"];

/** A stream whose internals are changed before the probe sees it. */
function changed(change: (internals: ZlibInternals) => void): zlib.InflateRaw {
  const stream = zlib.createInflateRaw();
  change(stream as ZlibInternals);
  return stream;
}

describe("probeSyncZlib()", () => {
  it("finds the synchronous handle on every Node that is tested", () => {
    expect(hasSyncZlib()).toBe(true);
    expect(probeSyncZlib(zlib.createInflateRaw())).toBe(true);
  });

  it("closes the stream, whatever it finds", () => {
    const good = zlib.createInflateRaw();
    const bad = changed((internals) => {
      internals._handle = null;
    });
    probeSyncZlib(good);
    expect(good.destroyed).toBe(true);
    expect(probeSyncZlib(bad)).toBe(false);
    expect(bad.destroyed).toBe(true);
  });

  it("refuses a stream without a state, or with another one", () => {
    expect(probeSyncZlib(changed((internals) => Object.assign(internals, { _writeState: undefined })))).toBe(false);
    expect(probeSyncZlib(changed((internals) => Object.assign(internals, { _writeState: new Uint32Array(3) })))).toBe(
      false,
    );
    // Of the right form, but not the one that the native side writes.
    expect(probeSyncZlib(changed((internals) => Object.assign(internals, { _writeState: new Uint32Array(2) })))).toBe(
      false,
    );
  });

  it("refuses a handle that Node itself calls in another way, without calling it", () => {
    let isCalled = false;
    const stream = changed((internals) => {
      Object.assign(internals, {
        _processChunk: (chunk: Uint8Array, flush: number): void => {
          const handle = internals._handle as unknown as { writeSync: (...args: unknown[]) => void };
          handle.writeSync({ flush, chunk });
        },
      });
      const handle = internals._handle as SyncZlibHandle;
      Object.setPrototypeOf(handle, {
        ...Object.getPrototypeOf(handle),
        writeSync: () => {
          isCalled = true;
        },
      });
    });
    expect(probeSyncZlib(stream)).toBe(false);
    expect(isCalled).toBe(false);
  });

  it("refuses a handle that Node does not call at all", () => {
    expect(probeSyncZlib(changed((internals) => Object.assign(internals, { _processChunk: () => {} })))).toBe(false);
    expect(
      probeSyncZlib(
        changed((internals) =>
          Object.assign(internals, {
            _processChunk: () => {
              throw new Error("gone");
            },
          }),
        ),
      ),
    ).toBe(false);
  });

  it("refuses a stream that does not write where its fields say", () => {
    const stream = changed((internals) => {
      const own = Buffer.alloc(64);
      Object.defineProperty(internals, "_outBuffer", { get: () => own, set: () => {} });
    });
    expect(probeSyncZlib(stream)).toBe(false);
  });

  it("refuses a handle that gives a wrong answer", () => {
    const real = Object.getPrototypeOf((zlib.createInflateRaw() as ZlibInternals)._handle) as { writeSync: WriteSync };
    const stream = changed((internals) => {
      const handle = internals._handle as SyncZlibHandle;
      const prototype = Object.create(Object.getPrototypeOf(handle)) as SyncZlibHandle;
      prototype.writeSync = function (this: SyncZlibHandle, ...args: Parameters<WriteSync>): void {
        real.writeSync.apply(this, args);
        args[4][args[5]] = 0x58;
      };
      Object.setPrototypeOf(handle, prototype);
    });
    expect(probeSyncZlib(stream)).toBe(false);
  });
});
