import type { ServerMetrics } from "../../packages/sluice/src/server.ts";
import type { Channel } from "./channel.ts";
import type { FaultCategory } from "./fault.ts";
import { heldBounds } from "./held-bounds.ts";
import { MessageBook } from "./messages.ts";
import { Operations } from "./operations.ts";
import type { Note, Traffic } from "./orders.ts";
import type { Kind, SessionPlan, Side } from "./plan.ts";
import { takeSample } from "./process-sample.ts";
import { Session, type SessionContext } from "./session.ts";

/** How often it is looked for promises that do not settle. */
const OVERDUE_CHECK_MS = 2_000;
/** Told at most, so that one fault in every message does not drown the report. */
const MAX_FAULTS = 100;

/** What server and client processes have in common: sessions, counters, faults, and the line to the run. */
export class Participant {
  readonly #sessions = new Set<Session>();
  readonly #operations = new Operations();
  readonly #context: SessionContext;
  readonly #openedByKind: Partial<Record<Kind, number>> = {};
  #opened = 0;
  #faults = 0;
  #sent = 0;
  #received = 0;
  #sentBytes = 0;
  #receivedBytes = 0;
  #heldIn = 0;
  #heldOut = 0;

  constructor(side: Side, seed: number) {
    this.#context = {
      side,
      book: new MessageBook(seed),
      operations: this.#operations,
      onFault: (category, text) => this.fault(category, text),
      onMessage: (direction, byteLength) => this.#countMessage(direction, byteLength),
    };
    setInterval(() => this.tellOverdue(), OVERDUE_CHECK_MS).unref();
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  fault(category: FaultCategory, text: string): void {
    if (this.#faults++ < MAX_FAULTS) send({ type: "fault", category, text });
  }

  /** Runs one end of a session and tells how it ended. @param kill destroys its socket */
  async run(plan: SessionPlan, channel: Channel, kill: () => void, onOpen: () => void = () => {}): Promise<void> {
    const session = new Session(plan, channel, kill, this.#context);
    this.#sessions.add(session);
    this.#opened++;
    this.#openedByKind[plan.kind] = (this.#openedByKind[plan.kind] ?? 0) + 1;
    void channel.opened.then(onOpen, () => {}); // a failure is the session's
    try {
      send({ type: "ended", end: await session.run() });
    } catch (error) {
      this.fault("handshake", `${plan.id} (${plan.kind}) did not open: ${describeError(error)}`);
    } finally {
      this.#sessions.delete(session);
    }
  }

  /** Lets the readers go on that stand still. */
  resume(): void {
    for (const session of this.#sessions) session.resume();
  }

  /** Ends every session with nothing lost. */
  finish(): void {
    for (const session of this.#sessions) session.finish();
  }

  /** @param limitMs for all operations; each its own if left out */
  tellOverdue(limitMs?: number): void {
    for (const { name, ageMs } of this.#operations.takeOverdue(limitMs)) {
      this.fault("unsettled", `${name} has not settled after ${ageMs} ms`);
    }
  }

  async sample(number: number, metrics: readonly ServerMetrics[] = []): Promise<void> {
    const counts = this.#measureSessions();
    const sample = await takeSample();
    const traffic: Traffic = {
      open: this.#sessions.size,
      opened: this.#opened,
      openedByKind: this.#openedByKind,
      sent: this.#sent,
      received: this.#received,
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
      pending: this.#operations.pendingCount,
      heldIn: this.#heldIn,
      heldOut: this.#heldOut,
      ...counts,
      metrics,
    };
    send({ type: "sample", number, sample, traffic });
  }

  /** Looks at what each connection holds. @returns the most Pings that one of the stalled group has sent */
  #measureSessions(): { pings: number } {
    let pings = 0;
    for (const { plan, channel } of this.#sessions) {
      const metrics = channel.metrics();
      if (metrics === null) continue;
      const { heldBytesIn, heldBytesOut, pingsSent } = metrics;
      this.#heldIn = Math.max(this.#heldIn, heldBytesIn);
      this.#heldOut = Math.max(this.#heldOut, heldBytesOut);
      const bounds = heldBounds(plan.kind);
      if (heldBytesIn > bounds.in) this.fault("held", `${plan.id} (${plan.kind}) holds ${heldBytesIn} bytes of input`);
      if (heldBytesOut > bounds.out)
        this.fault("held", `${plan.id} (${plan.kind}) holds ${heldBytesOut} bytes of output`);
      if (plan.staller !== null) pings = Math.max(pings, pingsSent);
    }
    return { pings };
  }

  #countMessage(direction: "sent" | "received", byteLength: number): void {
    if (direction === "sent") {
      this.#sent++;
      this.#sentBytes += byteLength;
    } else {
      this.#received++;
      this.#receivedBytes += byteLength;
    }
  }
}

/** Tells the run something. */
export function send(note: Note): void {
  if (process.connected) process.send?.(note);
}

/** With what caused it. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  return `${error.name}: ${error.message}${cause}`;
}

/** Nothing may fail unseen; Ctrl-C is the run's affair; a process whose run is gone ends. */
export function watchProcess(onFault: (category: FaultCategory, text: string) => void): void {
  process.on("unhandledRejection", (reason) => onFault("unhandled", describeError(reason)));
  process.on("uncaughtException", (error) => onFault("unhandled", error.stack ?? String(error)));
  process.on("warning", (warning) => onFault("warning", `${warning.name}: ${warning.message}`));
  process.on("SIGINT", () => {});
  process.on("disconnect", () => process.exit(0));
}
