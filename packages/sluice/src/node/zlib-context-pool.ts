import { ZlibContext, type ZlibKind } from "./zlib-context.ts";
import { zlibSettings } from "./zlib-settings.ts";

/**
 * The contexts of one kind, shared by all connections of the process.
 *
 * A connection takes a context for a message and gives it back after it; in between the context still remembers that
 * connection's data, and serves it faster the next time. Another connection that finds none free takes over the one that
 * was not used for longest, roughly (the clock algorithm: no bookkeeping per message). So memory is bounded by the number
 * of contexts in use at the same time, not by the number of connections. What nobody used for a while is freed.
 */
export class ZlibContextPool {
  readonly #kind: ZlibKind;
  readonly #limit: () => number;
  readonly #contexts: ZlibContext[] = [];
  readonly #free: ZlibContext[] = [];
  #hand = 0;
  #sweeper: NodeJS.Timeout | null = null;

  /** @param limit how many stay allocated; more exist only while more are in use */
  constructor(kind: ZlibKind, limit: () => number) {
    this.#kind = kind;
    this.#limit = limit;
  }

  /** Contexts allocated. */
  get size(): number {
    return this.#contexts.length;
  }

  /**
   * The context that remembers this owner's data, or one without data; pinned until it is given back.
   *
   * @param last the owner's last context, which may be another's by now
   * @throws {Error} if zlib has no memory
   */
  acquire(owner: object, last: ZlibContext | null): ZlibContext {
    const context = last !== null && last.owner === owner ? last : this.#takeUnowned();
    context.owner = owner;
    context.isPinned = true;
    context.wasUsed = true;
    return context;
  }

  /** Gives a context back that goes on remembering its owner's data. */
  release(context: ZlibContext): void {
    context.isPinned = false;
    if (this.#contexts.length > this.#limit()) this.discard(context);
  }

  /** Gives a context back, as new. */
  free(context: ZlibContext): void {
    if (context.isClosed || this.#contexts.length > this.#limit()) {
      this.discard(context);
      return;
    }
    context.reset();
    context.owner = null;
    context.isPinned = false;
    this.#free.push(context);
  }

  /** Closes a context, in whatever state it is. */
  discard(context: ZlibContext): void {
    context.owner = null;
    context.close();
    const index = this.#contexts.indexOf(context);
    if (index < 0) return;
    const moved = this.#contexts.pop() as ZlibContext;
    if (moved !== context) this.#contexts[index] = moved;
    const freeIndex = this.#free.indexOf(context);
    if (freeIndex >= 0) this.#free.splice(freeIndex, 1);
    if (this.#contexts.length === 0) this.#stopSweeping();
  }

  #takeUnowned(): ZlibContext {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const taken = this.#contexts.length < this.#limit() ? null : this.#takeOver();
    if (taken !== null) return taken;
    const context = new ZlibContext(this.#kind);
    this.#contexts.push(context);
    this.#sweeper ??= setInterval(() => this.#sweep(), zlibSettings.idleMs).unref();
    return context;
  }

  /** A context that was not used since the hand passed the last time, reset; null if all are in use. */
  #takeOver(): ZlibContext | null {
    const contexts = this.#contexts;
    for (let steps = contexts.length * 2; steps > 0; steps--) {
      this.#hand = (this.#hand + 1) % contexts.length;
      const context = contexts[this.#hand] as ZlibContext;
      if (context.isPinned) continue;
      if (!context.wasUsed) {
        context.reset();
        return context;
      }
      context.wasUsed = false;
    }
    return null;
  }

  #sweep(): void {
    for (const context of [...this.#contexts]) {
      if (context.isPinned) continue;
      if (context.wasUsed) context.wasUsed = false;
      else this.discard(context);
    }
  }

  #stopSweeping(): void {
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    this.#sweeper = null;
  }
}

const pools = new Map<string, ZlibContextPool>();

/** The process's one pool of a kind. */
export function zlibContextPool(kind: ZlibKind): ZlibContextPool {
  const key = Object.values(kind).join();
  let pool = pools.get(key);
  if (pool === undefined) {
    pool = new ZlibContextPool(kind, () =>
      kind.mode === "inflate" ? zlibSettings.maxInflateContexts : zlibSettings.maxDeflateContexts,
    );
    pools.set(key, pool);
  }
  return pool;
}
