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
  /**
   * Messages to deflate, and slices to inflate, above this size are handed to zlib's threads, in bytes; smaller ones are done
   * at once, which costs less by 30 to 60 µs each. Holds for connections that begin afterwards.
   *
   * @defaultValue 65,536, which takes about half a millisecond at level 3
   */
  asyncAboveBytes: number;
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
  asyncAboveBytes: 65_536,
  idleMs: 30_000,
};

/**
 * Changes the process-wide bounds on what compression takes. What is left out stays as it is.
 *
 * @throws {TypeError} if there is no bound of that name
 * @throws {RangeError} if a bound is not a positive integer
 * @example
 * ```ts
 * import { configureZlib } from "sluice";
 *
 * // Leaves three of libuv's four threads to files and DNS.
 * configureZlib({ maxJobs: 1 });
 * ```
 */
export function configureZlib(settings: Partial<ZlibSettings>): void {
  const changes = Object.entries(settings).filter(([, value]) => value !== undefined);
  for (const [name, value] of changes) {
    if (!Object.hasOwn(zlibSettings, name)) throw new TypeError(`Cannot configure zlib as there is no bound ${name}`);
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`Cannot configure zlib as ${name} must be a positive integer: current value is ${value}`);
    }
  }
  Object.assign(zlibSettings, Object.fromEntries(changes));
}
