import type { Display, Outcome, Snapshot } from "./snapshot.ts";

/** One JSON object a line, for programs: `start`, `progress` each second, `note`, and `result`. */
export class JsonDisplay implements Display {
  readonly #write: (line: string) => void;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  start(what: string): void {
    this.#print({ type: "start", what });
  }

  update(snapshot: Snapshot): void {
    if (snapshot.elapsedMs - this.#lastMs < 1_000) return;
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
