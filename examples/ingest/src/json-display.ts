import type { Display, Outcome, Phase, Snapshot } from "./snapshot.ts";

const INTERVAL_MS = 1_000;

/** One JSON object a line, for programs: `start`, `progress` each second and with each phase, `note`, and `result`. */
export class JsonDisplay implements Display {
  readonly #write: (line: string) => void;
  #lastMs = Number.NEGATIVE_INFINITY;
  #lastPhase: Phase = "starting";

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  start(what: string): void {
    this.#print({ type: "start", what });
  }

  update(snapshot: Snapshot): void {
    if (snapshot.phase === this.#lastPhase && snapshot.elapsedMs - this.#lastMs < INTERVAL_MS) return;
    this.#lastPhase = snapshot.phase;
    this.#lastMs = snapshot.elapsedMs;
    this.#print({ type: "progress", ...snapshot });
  }

  note(text: string): void {
    this.#print({ type: "note", text });
  }

  finish(outcome: Outcome): void {
    this.#print({ type: "result", ok: outcome.checks.every((check) => check.isMet), ...outcome });
  }

  abandon(): void {}

  #print(value: object): void {
    this.#write(`${JSON.stringify(value)}\n`);
  }
}
