import { availableParallelism } from "node:os";

/** Process-wide bounds on what compression may take, shared by all connections. */
export interface ZlibSettings {
  /**
   * Messages or slices that are in zlib's threads at the same time; the others wait in order (RFC 7692 §8, E30).
   *
   * @defaultValue one less than libuv's threads (`UV_THREADPOOL_SIZE`, 4), so that files and DNS get their turn, and not
   *   more than there are processors
   */
  maxJobs: number;
  /** Inflating contexts, 40 KiB each, that stay allocated between messages. @defaultValue 256 */
  maxInflateContexts: number;
  /**
   * Deflating contexts of one kind (level, window, memLevel) that stay allocated between messages. A connection that loses
   * its context to another one starts afresh: its messages are larger for a while, nothing else.
   *
   * @defaultValue 1,024, about 200 MiB at the default level and window
   */
  maxDeflateContexts: number;
  /** A context that was not used for this long is freed, after at most twice the time, in ms. @defaultValue 30,000 */
  idleMs: number;
}

/** Threads of libuv's pool, all users of it together. */
const threads = Number.parseInt(process.env.UV_THREADPOOL_SIZE ?? "", 10) || 4;

/** In force for the whole process; read at each use, so a change acts at once ({@link ZlibSettings.idleMs}: at the next sweep). */
export const zlibSettings: ZlibSettings = {
  maxJobs: Math.max(1, Math.min(threads - 1, availableParallelism())),
  maxInflateContexts: 256,
  maxDeflateContexts: 1_024,
  idleMs: 30_000,
};

/**
 * Changes the process-wide bounds.
 *
 * @throws {RangeError} if a bound is not a positive integer
 */
export function configureZlib(settings: Partial<ZlibSettings>): void {
  for (const [name, value] of Object.entries(settings)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`Cannot configure zlib as ${name} must be a positive integer: current value is ${value}`);
    }
  }
  Object.assign(zlibSettings, settings);
}
