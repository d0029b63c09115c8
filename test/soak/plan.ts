import { randomOf } from "../hostile/random.ts";

/** How a client's end of a session speaks; its server's end is a stream in every case. */
export const KINDS = ["plain", "deflate", "tls", "legacy", "legacy tls", "credit"] as const;
export type Kind = (typeof KINDS)[number];

/** An end of a session. */
export type Side = "client" | "server";

/**
 * How a session ends. "agreed": one end marks its last message as final, the other end finishes and closes: nothing may be
 * missing in either direction. "hasty": one end closes while the other goes on: what the closer wrote must arrive. "killed":
 * one end destroys its socket: what arrived is the start of what was written.
 */
export type Ending = "agreed" | "hasty" | "killed";

/** What both ends of a session do; each derives it from the session's path. */
export interface SessionPlan {
  readonly id: string;
  readonly kind: Kind;
  readonly seed: number;
  readonly ending: Ending;
  /** Who begins to end it. */
  readonly ender: Side;
  /** From the opening to the end's beginning. */
  readonly lifeMs: number;
  /** Who does not read at all at first, while the other writes as fast as it can; null for nobody. */
  readonly staller: Side | null;
  readonly stallMs: number;
}

const KIND_SHARES: readonly (readonly [kind: Kind, share: number])[] = [
  ["plain", 0.4],
  ["deflate", 0.1],
  ["tls", 0.15],
  ["legacy", 0.2],
  ["legacy tls", 0.05],
  ["credit", 0.1],
];

/** Sessions last from a tenth of this to all of it. */
const LONGEST_LIFE_MS = 50_000;

/**
 * An ordinary session.
 *
 * @param runMs the run's length: no session lasts longer than a quarter of it
 */
export function createPlan(id: string, seed: number, runMs: number): SessionPlan {
  const random = randomOf(seed);
  const kind = chooseKind(random());
  const fate = random();
  const ending = fate < 0.5 ? "agreed" : fate < 0.75 ? "hasty" : "killed";
  const ender = random() < 0.5 ? "client" : "server";
  const lifeMs = Math.min(LONGEST_LIFE_MS, runMs / 4) * (0.1 + 0.9 * random());
  return { id, kind, seed, ending, ender, lifeMs: Math.round(lifeMs), staller: null, stallMs: 0 };
}

function chooseKind(place: number): Kind {
  let sum = 0;
  for (const [kind, share] of KIND_SHARES) {
    sum += share;
    if (place < sum) return kind;
  }
  return "plain";
}

/** A session of the group whose reader stands still: the first ones of that group have each kind and each side. */
export function createStalledPlan(id: string, seed: number, index: number, stallMs: number): SessionPlan {
  const kinds: readonly Kind[] = ["plain", "tls", "legacy", "credit", "deflate"];
  const kind = kinds[index % kinds.length] as Kind;
  const staller = Math.floor(index / kinds.length) % 2 === 0 ? "client" : "server";
  // Whoever writes against the stall ends it, a moment after the reader went on.
  const ender = staller === "client" ? "server" : "client";
  return { id, kind, seed, ending: "agreed", ender, lifeMs: stallMs, staller, stallMs };
}

/** What a client puts behind the server's address. */
export function toPath(plan: SessionPlan): string {
  return `/?plan=${encodeURIComponent(JSON.stringify(plan))}`;
}

export function fromURL(url: string): SessionPlan {
  return JSON.parse(new URL(url).searchParams.get("plan") ?? "null") as SessionPlan;
}

/** The seed of one direction: the two of a session carry different messages. */
export function directionSeed(plan: SessionPlan, sender: Side): number {
  return sender === "client" ? plan.seed : ~plan.seed;
}
