import { formatBytes, formatCount, formatSeconds, formatShare } from "./format.ts";
import { formatOutcome } from "./outcome-text.ts";
import type { Display, Outcome, Phase, SideSnapshot, Snapshot } from "./snapshot.ts";

const INTERVAL_MS = 1_000;

/** A line a second, and one when a phase begins, for logs and pipes. */
export class PlainDisplay implements Display {
  readonly #write: (line: string) => void;
  #lastMs = Number.NEGATIVE_INFINITY;
  #lastPhase: Phase = "starting";

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  start(what: string): void {
    this.#write(`${what}\n`);
  }

  update(snapshot: Snapshot): void {
    if (snapshot.phase === "starting") return;
    if (snapshot.phase === this.#lastPhase && snapshot.elapsedMs - this.#lastMs < INTERVAL_MS) return;
    this.#lastPhase = snapshot.phase;
    this.#lastMs = snapshot.elapsedMs;
    this.#write(`${toLine(snapshot)}\n`);
  }

  note(text: string): void {
    this.#write(`${text}\n`);
  }

  finish(outcome: Outcome): void {
    this.#write(`${formatOutcome(outcome)}\n`);
  }

  abandon(): void {}
}

function toLine(snapshot: Snapshot): string {
  const { elapsedMs, phase, recordsStored, recordsTotal, recordsPerSecond, fleet, server, onTheWayBytes } = snapshot;
  const parts = [
    formatSeconds(elapsedMs).padStart(7),
    phase.padEnd(9),
    `${formatCount(recordsStored)}${recordsTotal === 0 ? "" : ` of ${formatCount(recordsTotal)}`} stored`,
    `${formatCount(recordsPerSecond)}/s`,
  ];
  if (fleet !== null) parts.push(toSide("fleet", fleet));
  if (onTheWayBytes !== null) parts.push(`on the way ${formatBytes(onTheWayBytes)}`);
  if (server !== null) parts.push(toSide("server", server));
  return parts.join("  ");
}

function toSide(name: string, side: SideSnapshot): string {
  const { application, peer, network } = side.recentPressure;
  const shares = [application, peer, network].map(formatShare).join("/");
  return `${name} holds ${formatBytes(side.heldBytes)}, own/peer/network ${shares}, memory ${formatBytes(side.rssBytes)}`;
}
