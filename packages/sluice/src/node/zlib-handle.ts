import zlib from "node:zlib";

/**
 * zlib without the thread pool. A stream of `node:zlib` hands each write to a thread, which costs 30 to 60 µs a message;
 * its native handle has a synchronous twin of that call, `writeSync`, which Node itself uses for `deflateRawSync()` and
 * which costs 1 to 8 µs (7 to 60 times less) and keeps the context. It is not documented, so it is tested once before it
 * is used; {@link hasSyncZlib} false means that every call goes through the public stream.
 */
export interface SyncZlibHandle {
  /** Reads input, writes output, and leaves `[output left, input left]` in the stream's `_writeState`. */
  writeSync(
    flush: number,
    input: Uint8Array,
    inputStart: number,
    inputLength: number,
    output: Uint8Array,
    outputStart: number,
    outputLength: number,
  ): void;
}

/** What a raw zlib stream carries beside its public face. */
export interface ZlibInternals {
  _handle?: SyncZlibHandle | null;
  readonly _writeState?: Uint32Array;
  readonly _processChunk?: (chunk: Uint8Array, flush: number) => unknown;
  /** Where the public stream writes, and how much of it: 16 KiB that a context which is only used synchronously never needs. */
  _outBuffer?: Uint8Array;
  _chunkSize?: number;
  _outOffset?: number;
}

let probed: boolean | undefined;

/** Whether the synchronous handle exists here and does what is expected of it. Tested at the first call. */
export function hasSyncZlib(): boolean {
  probed ??= probeSyncZlib(zlib.createInflateRaw({ chunkSize: 64 }));
  return probed;
}

/**
 * Tests one raw inflater, and closes it.
 *
 * @param stream a fresh `zlib.createInflateRaw()`
 */
export function probeSyncZlib(stream: zlib.InflateRaw): boolean {
  const internals = stream as ZlibInternals;
  stream.on("error", () => {
    // The answer is false; the stream is of no further use.
  });
  try {
    return hasKnownSignature(internals) && inflatesHello(internals);
  } catch {
    return false; // Whatever it is, it is not the handle that we know.
  } finally {
    stream.close();
  }
}

/**
 * Native code aborts the process when it is called with other arguments than it expects, so the signature is read off
 * Node's own call first: a stand-in notes the arguments and never reaches the native function.
 */
function hasKnownSignature(internals: ZlibInternals): boolean {
  const { _handle: handle, _writeState: writeState } = internals;
  if (!handle || typeof handle.writeSync !== "function" || !(writeState instanceof Uint32Array)) return false;
  if (writeState.length !== 2 || typeof internals._processChunk !== "function" || Object.hasOwn(handle, "writeSync")) {
    return false;
  }
  const ownOutput = Buffer.alloc(32);
  setOutput(internals, ownOutput);
  let seen: unknown[] = [];
  const stop = new Error("Stop before the native call");
  handle.writeSync = (...args: unknown[]): never => {
    seen = args;
    throw stop;
  };
  try {
    internals._processChunk(Uint8Array.of(1, 2, 3), zlib.constants.Z_SYNC_FLUSH);
    return false;
  } catch (error) {
    if (error !== stop) return false;
  } finally {
    Reflect.deleteProperty(handle, "writeSync");
  }
  const [flush, input, inputStart, inputLength, output, outputStart, outputLength] = seen;
  return (
    seen.length === 7 &&
    flush === zlib.constants.Z_SYNC_FLUSH &&
    input instanceof Uint8Array &&
    inputStart === 0 &&
    inputLength === 3 &&
    output === ownOutput &&
    outputStart === 0 &&
    outputLength === ownOutput.length
  );
}

/** Gives a stream other memory to write to. Only where {@link hasSyncZlib} is true, which looks at these fields too. */
export function setOutput(stream: ZlibInternals, output: Buffer): void {
  stream._outBuffer = output;
  stream._chunkSize = output.length;
  stream._outOffset = 0;
}

/** RFC 7692 §7.2.3.1, and then the block boundary behind it (see `BLOCK_END` in zlib-inflater.ts). */
function inflatesHello(internals: ZlibInternals): boolean {
  const handle = internals._handle as SyncZlibHandle;
  const writeState = internals._writeState as Uint32Array;
  const output = new Uint8Array(16);
  const hello = Uint8Array.of(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00);
  handle.writeSync(zlib.constants.Z_SYNC_FLUSH, hello, 0, hello.length, output, 0, 16);
  const afterHello = writeState.join();
  handle.writeSync(zlib.constants.Z_BLOCK, Uint8Array.of(0x00, 0x00, 0xff, 0xff, 0x00), 0, 5, output, 5, 11);
  const text = String.fromCharCode(...output.subarray(0, 5));
  return text === "Hello" && afterHello === "11,0" && writeState.join() === "11,1";
}
