import { randomOf } from "../hostile/random.ts";
import type { Channel, ChannelEnd } from "./channel.ts";
import type { FaultCategory } from "./fault.ts";
import type { MessageBook } from "./messages.ts";
import { byteLengthOf } from "./messages.ts";
import type { Operations } from "./operations.ts";
import { directionSeed, type SessionPlan, type Side } from "./plan.ts";
import { SequenceChecker } from "./sequence-checker.ts";
import { WakeUp } from "./wake-up.ts";

/** What one end did to end its session; null if it only followed. */
export type Act = "final" | "hasty" | "killed" | null;

/** What one end tells when it is over. */
export interface SessionEnd {
  readonly id: string;
  readonly side: Side;
  readonly plan: SessionPlan;
  readonly act: Act;
  /** Messages given to `write()`, and those of them that fulfilled. */
  readonly attempted: number;
  readonly acknowledged: number;
  readonly received: number;
  readonly sentBytes: number;
  readonly hasReadFinal: boolean;
  readonly end: ChannelEnd;
  /** Whether the reader stood still at first, for all of the time that the plan says. */
  readonly hasStalled: boolean;
}

/** What a session needs of its process. */
export interface SessionContext {
  readonly side: Side;
  readonly book: MessageBook;
  readonly operations: Operations;
  /** A message was not what it had to be. */
  onFault(category: FaultCategory, text: string): void;
  onMessage(direction: "sent" | "received", byteLength: number): void;
}

/** Settle times that are far beyond what is documented; a peer that stalls is added. */
const LIMITS = { opened: 60_000, read: 120_000, write: 120_000, closed: 90_000 } as const;
/** Mean time between two bursts of an end. */
const PAUSE_MS = 2_000;
const LONGEST_STALL_MS = 4_000;

/** One end of one connection: writes, reads and checks, ends as the plan says. */
export class Session {
  readonly plan: SessionPlan;
  readonly channel: Channel;
  readonly #context: SessionContext;
  readonly #kill: () => void;
  readonly #random: () => number;
  readonly #checker: SequenceChecker;
  readonly #writerPause = new WakeUp();
  readonly #readerPause = new WakeUp();
  #act: Act = null;
  /** Whether this end's time is over. */
  #mustEnd = false;
  #isOver = false;
  #hasSentFinal = false;
  #attempted = 0;
  #acknowledged = 0;
  #sentBytes = 0;
  #hasStalled = false;
  #endTimer: NodeJS.Timeout | null = null;

  /** @param kill ends the connection without a word */
  constructor(plan: SessionPlan, channel: Channel, kill: () => void, context: SessionContext) {
    this.plan = plan;
    this.channel = channel;
    this.#kill = kill;
    this.#context = context;
    this.#random = randomOf(directionSeed(plan, context.side) ^ 0x5eed);
    this.#checker = new SequenceChecker(context.book, directionSeed(plan, other(context.side)));
  }

  /** Runs it to its end. @throws what the handshake failed with */
  async run(): Promise<SessionEnd> {
    const { channel, plan } = this;
    const { side } = this.#context;
    await this.#track("opened", channel.opened, LIMITS.opened);
    if (plan.ender === side) this.#endTimer = setTimeout(() => this.#onTimeOver(), plan.lifeMs);
    void channel.closed.then(() => this.#onOver());
    await Promise.all([this.#read(), this.#write()]);
    const end = await this.#track("closed", channel.closed, LIMITS.closed);
    return {
      id: plan.id,
      side,
      plan,
      act: this.#act,
      attempted: this.#attempted,
      acknowledged: this.#acknowledged,
      received: this.#checker.received,
      sentBytes: this.#sentBytes,
      hasReadFinal: this.#checker.hasFinal,
      end,
      hasStalled: this.#hasStalled,
    };
  }

  /** Lets the reader go on, if it stands still. */
  resume(): void {
    this.#readerPause.wake();
  }

  /** Ends it now, with nothing lost, whatever the plan says. */
  finish(): void {
    this.#mustEnd = true;
    if (this.#act === null) this.#act = "final";
    this.#wake();
  }

  #onTimeOver(): void {
    this.#endTimer = null;
    if (this.#act !== null || this.#isOver) return;
    this.#mustEnd = true;
    if (this.plan.ending === "killed") {
      this.#act = "killed";
      this.#kill();
    } else {
      this.#act = this.plan.ending === "agreed" ? "final" : "hasty";
    }
    this.#wake();
  }

  #onOver(): void {
    this.#isOver = true;
    if (this.#endTimer !== null) clearTimeout(this.#endTimer);
    this.#wake();
  }

  #wake(): void {
    this.#writerPause.wake();
    this.#readerPause.wake();
  }

  async #read(): Promise<void> {
    await this.#stallAtFirst();
    try {
      for (;;) {
        const message = await this.#track("read()", this.channel.read(), LIMITS.read);
        if (message === null) return;
        const fault = this.#checker.receive(message);
        if (fault !== null) this.#context.onFault(fault, this.#describe(`message ${this.#checker.received}`));
        this.#context.onMessage("received", byteLengthOf(message));
        if (this.#checker.hasFinal) await this.#onFinal();
        if (this.#random() < 0.01) await this.#readerPause.sleep(LONGEST_STALL_MS * this.#random());
      }
    } catch {
      // The connection is gone: `closed` says how, and the ledger whether it may.
    }
  }

  /** Both ends may have sent a final message at the same time: then both close. */
  async #onFinal(): Promise<void> {
    this.#writerPause.wake();
    if (this.#hasSentFinal) await this.#track("close()", this.channel.close(), LIMITS.closed);
  }

  async #stallAtFirst(): Promise<void> {
    const { staller, stallMs } = this.plan;
    if (staller !== this.#context.side) return;
    // Woken only by the end of the run, or of the connection.
    this.#hasStalled = await this.#readerPause.sleep(stallMs);
  }

  async #write(): Promise<void> {
    try {
      while (!this.#mustStopWriting) {
        await this.#writerPause.sleep(this.#nextPauseMs());
        await this.#writeBurst();
      }
      if (this.#isOver || this.#act === "killed") return;
      if (this.#act === "final") {
        await this.#writeMessage(this.#context.book.createFinal(this.#attempted));
        this.#hasSentFinal = true;
        // The other end closes behind its own last message.
        if (!this.#checker.hasFinal) return;
      }
      await this.#track("close()", this.channel.close(), LIMITS.closed);
    } catch {
      // As above.
    }
  }

  get #mustStopWriting(): boolean {
    return this.#mustEnd || this.#isOver || this.#checker.hasFinal;
  }

  /** Against a reader that stands still: as fast as it goes, until it goes on. */
  get #isFlooding(): boolean {
    const { staller, ender } = this.plan;
    return staller !== null && ender === this.#context.side;
  }

  #nextPauseMs(): number {
    return this.#isFlooding ? 0 : -PAUSE_MS * Math.log(1 - this.#random());
  }

  /** One message, or now and then some at once without waiting in between. */
  async #writeBurst(): Promise<void> {
    const { book, side } = this.#context;
    const count = this.#random() < 0.05 ? 1 + Math.floor(this.#random() * 8) : 1;
    const writes: Promise<void>[] = [];
    for (let index = 0; index < count && !this.#mustStopWriting; index++) {
      writes.push(this.#writeMessage(book.create(directionSeed(this.plan, side), this.#attempted)));
    }
    const outcomes = await Promise.allSettled(writes);
    const failure = outcomes.find((outcome) => outcome.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  }

  async #writeMessage(message: string | Uint8Array): Promise<void> {
    this.#attempted++;
    const byteLength = byteLengthOf(message);
    await this.#track("write()", this.channel.write(message), LIMITS.write);
    this.#acknowledged++;
    this.#sentBytes += byteLength;
    this.#context.onMessage("sent", byteLength);
  }

  #track<Value>(name: string, promise: Promise<Value>, limitMs: number): Promise<Value> {
    return this.#context.operations.track(this.#describe(name), promise, limitMs + this.plan.stallMs);
  }

  #describe(what: string): string {
    return `${what} at the ${this.#context.side} of ${this.plan.id} (${this.plan.kind}, ${this.plan.ending})`;
  }
}

function other(side: Side): Side {
  return side === "client" ? "server" : "client";
}
