import type { PayloadKind } from "../agent/payloads.ts";
import type { Pair } from "../runner/pair.ts";

/** One measurement of one peer in one round. */
export interface Sample {
  /** In the scenario's unit. */
  readonly value: number;
  /** Processor seconds per million messages (or connections), of each process. */
  readonly cpuServer?: number;
  readonly cpuClient?: number;
  /** Resident memory, in bytes. */
  readonly rssServer?: number;
  readonly rssClient?: number;
  /** Further figures, by name. */
  readonly more?: Readonly<Record<string, number>>;
}

/** One row of a scenario: what is sent, and how. */
export interface Cell {
  /** Unique within its scenario, e.g. "push 32 B binary". */
  readonly name: string;
  readonly kind: PayloadKind;
  readonly bytes: number;
  readonly direction?: "push" | "ingest";
  readonly connections?: number;
  readonly window?: number;
  readonly isEncrypted?: boolean;
  /** Whether `--quick` takes it. */
  readonly isQuick: boolean;
}

/** How long a phase is. */
export interface Pace {
  /** Of a measured phase, in milliseconds. */
  readonly milliseconds: number;
  /** Of the warm-up: long enough for a compiler to have done its work. */
  readonly warmUpMs: number;
  readonly isQuick: boolean;
}

/** A prepared pair of processes: what a round does. */
export interface Rounds {
  /** Compiles and fills caches; compares every byte. @throws if anything came otherwise than sent */
  warmUp(): Promise<void>;
  measure(isProfiled: boolean): Promise<Sample>;
}

/** A kind of work, with the sizes it is done in. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** Of the value, as it is printed, e.g. "messages/s". */
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly cells: readonly Cell[];
  readonly isDeflated?: boolean;
  /** The only peers that `--quick` takes here; all of its peers if left out. */
  readonly quickPeers?: readonly string[];
  /** Rounds at most: for scenarios whose one round takes long. */
  readonly maxRounds?: number;
  /** Why a peer is not measured; undefined if it is. */
  excludes(peer: Pair["peer"], cell: Cell): string | undefined;
  prepare(pair: Pair, cell: Cell, pace: Pace): Promise<Rounds>;
}

/** Formats a size: "32 B", "1 KiB". */
export function formatBytes(bytes: number): string {
  if (bytes >= 2 ** 20 && bytes % 2 ** 20 === 0) return `${bytes / 2 ** 20} MiB`;
  if (bytes >= 1024 && bytes % 1024 === 0) return `${bytes / 1024} KiB`;
  return `${bytes} B`;
}

/** Asks both processes for what they used since the mark, and divides it. @param count messages, or connections */
export async function readUsage(pair: Pair, count: number): Promise<Omit<Sample, "value">> {
  const [server, client] = await Promise.all([pair.server.ask("usage"), pair.client.ask("usage")]);
  return {
    cpuServer: (server.cpuSeconds / count) * 1e6,
    cpuClient: (client.cpuSeconds / count) * 1e6,
    rssServer: server.rss,
    rssClient: client.rss,
  };
}

/** Starts counting in both processes. */
export async function markBoth(pair: Pair, isProfiled: boolean): Promise<void> {
  await Promise.all([pair.server.ask("mark", { isProfiled }), pair.client.ask("mark", { isProfiled })]);
}

/** @throws if messages are missing or were changed */
export function requireIntact(result: { received: number; wrong: number }, sent: number): void {
  if (result.wrong > 0) throw new Error(`${result.wrong} of ${result.received} messages were not what was sent`);
  if (result.received !== sent) throw new Error(`${result.received} of ${sent} messages came`);
}
