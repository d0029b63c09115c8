import type { Fault, FaultCategory } from "./fault.ts";
import type { Side } from "./plan.ts";
import type { SessionEnd } from "./session.ts";

/** Sums over what was compared. */
export interface LedgerCounts {
  sessions: number;
  /** By how they really ended. */
  agreed: number;
  hasty: number;
  killed: number;
  /** Whose other end's process was killed, so that there is one report only. */
  widowed: number;
  /** Messages that were acknowledged, and those that arrived. */
  acknowledged: number;
  received: number;
  bytes: number;
  /** Acknowledged but not received, where a connection was killed or given up: the unfinished tail. */
  tails: number;
  /** Stalls that lasted as long as they should. */
  fullStalls: number;
}

/** Puts the reports of both ends of each session together and compares them. */
export class Ledger {
  readonly counts: LedgerCounts = {
    sessions: 0,
    agreed: 0,
    hasty: 0,
    killed: 0,
    widowed: 0,
    acknowledged: 0,
    received: 0,
    bytes: 0,
    tails: 0,
    fullStalls: 0,
  };
  readonly #waiting = new Map<string, SessionEnd>();

  /** Sessions of which one end has reported. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Takes one end's report. @returns what is wrong with the session, once both are here */
  add(end: SessionEnd): Fault[] {
    const other = this.#waiting.get(end.id);
    if (other === undefined) {
      this.#waiting.set(end.id, end);
      return [];
    }
    this.#waiting.delete(end.id);
    const [client, server] = end.side === "client" ? [end, other] : [other, end];
    return this.#compare(client, server);
  }

  /** Takes out the reports of servers' ends whose client is gone: nothing is wrong with them. */
  takeWidowed(isGone: (id: string) => boolean): void {
    for (const [id, end] of this.#waiting) {
      if (end.side !== "server" || !isGone(id)) continue;
      this.#waiting.delete(id);
      this.counts.sessions++;
      this.counts.widowed++;
      this.#countEnd(end);
    }
  }

  /** For people: what is left. */
  describeWaiting(): string[] {
    return [...this.#waiting.values()].map(
      ({ id, side, act }) => `${id}: only the ${side} ended (${act ?? "followed"})`,
    );
  }

  #compare(client: SessionEnd, server: SessionEnd): Fault[] {
    this.counts.sessions++;
    this.#countEnd(client);
    this.#countEnd(server);
    const faults: Fault[] = [];
    const acts = [client.act, server.act];
    const ending = acts.includes("killed") ? "killed" : acts.includes("hasty") ? "hasty" : "agreed";
    this.counts[ending]++;
    for (const [sender, receiver] of [
      [client, server],
      [server, client],
    ] as const) {
      const missing = sender.acknowledged - receiver.received;
      const where = `${sender.side} to ${receiver.side} of ${describe(client, server)}`;
      const say = (category: FaultCategory, text: string): void => {
        faults.push({ category, text: `${where}: ${text}` });
      };
      if (receiver.received > sender.attempted) {
        say("invented", `${receiver.received} messages arrived, ${sender.attempted} were written`);
      }
      const mustBeClean = ending === "agreed" || (ending === "hasty" && sender.act === "hasty");
      if (mustBeClean && !sender.end.isClean) {
        say("unclean", `the ${sender.side} ended with ${sender.end.closeCode}: ${sender.end.text}`);
      }
      if (missing <= 0) continue;
      if (mustBeClean) say("lost", `${sender.acknowledged} messages were acknowledged, ${receiver.received} arrived`);
      else this.counts.tails += missing;
    }
    return faults;
  }

  #countEnd({ acknowledged, received, sentBytes, hasStalled }: SessionEnd): void {
    this.counts.acknowledged += acknowledged;
    this.counts.received += received;
    this.counts.bytes += sentBytes;
    if (hasStalled) this.counts.fullStalls++;
  }
}

/** Whose turn it was to do what, for people. */
function describe(client: SessionEnd, server: SessionEnd): string {
  const acts = ([client, server] as const).map(
    ({ side, act }): `${Side}: ${string}` => `${side}: ${act ?? "followed"}`,
  );
  return `${client.id} (${client.plan.kind}; ${acts.join(", ")})`;
}
