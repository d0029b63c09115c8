import type { KeepaliveOptions } from "../../packages/sluice/src/index.ts";

/** At both ends: a stall of a minute sees several heartbeats. Silence is no death before a busy machine had its time. */
export const KEEP_ALIVE: KeepaliveOptions = { intervalMs: 10_000, timeoutMs: 30_000 };
