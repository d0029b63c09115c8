import zlib from "node:zlib";
import { hasSyncZlib, type SyncZlibHandle, setOutput, type ZlibInternals } from "./zlib-handle.ts";

/** What a context is for. Contexts of the same kind replace one another. */
export type ZlibKind =
  | { readonly mode: "inflate"; readonly isHandleAllowed: boolean }
  | {
      readonly mode: "deflate";
      readonly windowBits: number;
      readonly level: number;
      readonly memLevel: number;
      readonly isHandleAllowed: boolean;
    };

/** Output of a thread per step: the size of `node:zlib`'s own steps. */
const STEP_BYTES = 16_384;

/** The least that `node:zlib` allows: a context that no thread has used yet has no memory for steps. */
const MIN_STEP_BYTES = 64;

/**
 * One raw DEFLATE context of zlib, used by one caller at a time: at once through the handle, or in a thread through the
 * public stream. Both see the same state, so a caller may change between messages and within one.
 *
 * After an error it is closed, and every further write throws: native code must not see a closed handle again.
 */
export class ZlibContext {
  /** Whose data it remembers, or null if it is as new. Kept by the pool and its callers. */
  owner: object | null = null;
  /** In the middle of a call or a message: the pool leaves it alone. */
  isPinned = false;
  /** Since the pool looked the last time. */
  wasUsed = true;
  /** Memory that it takes, in bytes. */
  readonly byteLength: number;
  readonly #stream: zlib.InflateRaw | zlib.DeflateRaw;
  #handle: SyncZlibHandle | null = null;
  #writeState: Uint32Array = EMPTY_STATE;
  #hasEnded = false;
  #isListening = false;
  #onOutput: ((bytes: Uint8Array) => void) | null = null;
  #onSettled: ((error: Error | null) => void) | null = null;

  /** @throws {Error} if zlib has no memory */
  constructor(kind: ZlibKind) {
    this.byteLength = zlibContextBytes(kind);
    const flush = zlib.constants.Z_SYNC_FLUSH;
    const isSync = kind.isHandleAllowed && hasSyncZlib();
    const chunkSize = isSync ? MIN_STEP_BYTES : STEP_BYTES;
    this.#stream =
      kind.mode === "inflate"
        ? zlib.createInflateRaw({ flush, chunkSize }) // 32 KiB window: reads any smaller one
        : zlib.createDeflateRaw({
            flush,
            chunkSize,
            windowBits: kind.windowBits,
            level: kind.level,
            memLevel: kind.memLevel,
          });
    this.#stream.on("error", (error) => this.#settle(error));
    if (isSync) {
      const internals = this.#stream as ZlibInternals;
      this.#handle = internals._handle as SyncZlibHandle;
      this.#writeState = internals._writeState as Uint32Array;
    }
  }

  /** Whether {@link writeSync} may be called. */
  get canWriteSync(): boolean {
    return this.#handle !== null;
  }

  /** True once a final block ended the stream in a thread: the context cannot go on, and is to be replaced. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Input that the last {@link writeSync} did not take. With output left, a final block ended the stream there. */
  get inputLeft(): number {
    return this.#writeState[1] as number;
  }

  /** Room that the last {@link writeSync} did not fill. 0 means that there may be more to come, even without input. */
  get outputLeft(): number {
    return this.#writeState[0] as number;
  }

  /**
   * One call of zlib, on this thread.
   *
   * @throws {Error} zlib's own, with `errno`
   */
  writeSync(
    flush: number,
    input: Uint8Array,
    inputStart: number,
    inputLength: number,
    output: Uint8Array,
    outputStart: number,
    outputLength: number,
  ): void {
    if (this.#handle === null) throw new Error("Cannot use a zlib context as it is closed");
    this.#handle.writeSync(flush, input, inputStart, inputLength, output, outputStart, outputLength);
    // Node reports an error by destroying the stream, within the call.
    if (this.#stream.destroyed) {
      this.#handle = null;
      throw this.#stream.errored ?? new Error("Cannot use a zlib context as it is closed");
    }
  }

  /**
   * Input to its end, or to the end of a final block, with a sync flush, in zlib's threads.
   *
   * @param onOutput gets each step's output, in memory of its own. May call {@link close}
   * @returns how much input was not taken: more than 0 means that a final block ended the stream
   * @throws {Error} zlib's own, with `errno`; or, if the context was closed meanwhile, one without
   */
  async write(input: Uint8Array, onOutput: (bytes: Uint8Array) => void): Promise<number> {
    const stream = this.#stream;
    if (stream.destroyed) throw new Error("Cannot use a zlib context as it is closed");
    this.#listen();
    const end = stream.bytesWritten + input.length;
    await new Promise<void>((resolve, reject) => {
      this.#onOutput = onOutput;
      this.#onSettled = (error) => (error === null ? resolve() : reject(error));
      stream.write(input, (error) => this.#settle(error ?? null));
    });
    return end - stream.bytesWritten;
  }

  /** Forgets all data. Only between writes. */
  reset(): void {
    this.#stream.reset();
  }

  /** Whether nothing can be written any more. */
  get isClosed(): boolean {
    return this.#stream.destroyed || this.#hasEnded;
  }

  /** Frees the memory, at once or when the thread that uses it is done. A write that is under way fails. */
  close(): void {
    this.#handle = null;
    this.#stream.destroy();
    this.#settle(new Error("Cannot finish a zlib job as its connection is closed"));
  }

  #listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    if (this.#handle !== null) setOutput(this.#stream as ZlibInternals, Buffer.allocUnsafeSlow(STEP_BYTES));
    this.#stream.on("data", (bytes: Uint8Array) => this.#onOutput?.(bytes));
    // Input behind a final block is not taken: the stream ends, and the write's own callback is never called.
    this.#stream.on("end", () => {
      this.#hasEnded = true;
      this.#settle(null);
    });
  }

  #settle(error: Error | null): void {
    const onSettled = this.#onSettled;
    this.#onSettled = null;
    this.#onOutput = null;
    onSettled?.(error);
  }
}

/**
 * Memory of a context, by zlib's own formulas (zconf.h, deflate.c) with the hash table of at least 15 bits that Node's
 * build has. docs/permessage-deflate.md compares them with what a process grows by.
 */
export function zlibContextBytes(kind: ZlibKind): number {
  if (kind.mode === "inflate") return 32_768 + 7_168;
  const window = 2 << kind.windowBits;
  const previous = 2 << kind.windowBits;
  const hash = 2 << Math.max(15, kind.memLevel + 7);
  const pending = 4 << (kind.memLevel + 6);
  return window + previous + hash + pending + 6_144;
}

const EMPTY_STATE = new Uint32Array(2);
