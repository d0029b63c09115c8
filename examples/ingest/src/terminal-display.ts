import { plot } from "asciichart";
import asciichart from "asciichart";
import { createLogUpdate } from "log-update";
import pc from "picocolors";
import { formatBytes, formatCount, formatSeconds, formatShare } from "./format.ts";
import { BOUND_IN_BYTES, BOUND_OUT_BYTES } from "./limits.ts";
import type { Options } from "./options.ts";
import { formatOutcome } from "./outcome-text.ts";
import type { Display, Outcome, SideSnapshot, Snapshot } from "./snapshot.ts";

export class TerminalDisplay implements Display {
  constructor(_options: Options) {}
  start(_what: string): void {}
  update(_snapshot: Snapshot): void {}
  note(_text: string): void {}
  finish(_outcome: Outcome): void {}
  abandon(): void {}
}
