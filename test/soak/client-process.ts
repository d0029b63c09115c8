import { randomOf } from "../hostile/random.ts";
import { connectChannel } from "./connect-channel.ts";
import type { ClientOrder, Order } from "./orders.ts";
import { Participant, send, watchProcess } from "./participant.ts";
import { createPlan, createStalledPlan, type SessionPlan } from "./plan.ts";

/* A client's process: keeps so many sessions open, one after the other in each of its places. */

/** Between two connections of a place. */
const LONGEST_RECONNECT_MS = 500;
/** Handshakes under way at once while all places fill. */
const RAMP_AT_ONCE = 50;

let client: Client | null = null;
let isCalledOff = false;
watchProcess((category, text) => client?.participant.fault(category, text));

class Client {
  readonly participant: Participant;
  readonly #order: ClientOrder;
  readonly #random: () => number;
  #count = 0;
  #isFinishing = false;

  constructor(order: ClientOrder) {
    this.#order = order;
    this.participant = new Participant("client", order.seed);
    let hash = order.seed;
    for (const character of order.name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
    this.#random = randomOf(hash);
  }

  /** Fills all places, a few at a time. */
  async start(): Promise<void> {
    const { connections } = this.#order;
    let next = 0;
    const fill = async (): Promise<void> => {
      while (next < connections && !this.#isFinishing) {
        const place = next++;
        await new Promise<void>((onOpen) => void this.#keepOpen(place, onOpen));
      }
    };
    await Promise.all(Array.from({ length: RAMP_AT_ONCE }, fill));
    send({ type: "ramped" });
  }

  finish(): void {
    this.#isFinishing = true;
    this.participant.finish();
    const timer = setInterval(() => {
      // Those whose handshake was under way hear of it now.
      this.participant.finish();
      if (this.participant.sessionCount > 0) return;
      clearInterval(timer);
      send({ type: "finished" });
    }, 100);
  }

  /** One session after the other. @param onOpen called when the first one is there, or has failed */
  async #keepOpen(place: number, onOpen: () => void): Promise<void> {
    while (!this.#isFinishing) {
      await this.#runSession(place, onOpen);
      onOpen();
      await new Promise((resolve) => setTimeout(resolve, LONGEST_RECONNECT_MS * this.#random()));
    }
    onOpen();
  }

  /** A function of its own: a loop that awaits would keep the connection before in a register, and with it all it holds. */
  #runSession(place: number, onOpen: () => void): Promise<void> {
    const plan = this.#createPlan(place);
    const { channel, kill } = connectChannel(plan, this.#order);
    return this.participant.run(plan, channel, kill, onOpen);
  }

  #createPlan(place: number): SessionPlan {
    const { name, runMs, stalledConnections, stallMs } = this.#order;
    const id = `${name}-${this.#count++}`;
    const seed = Math.floor(this.#random() * 2 ** 31);
    return place < stalledConnections ? createStalledPlan(id, seed, place, stallMs) : createPlan(id, seed, runMs);
  }
}

process.on("message", (order: Order) => {
  if (order.type === "start" && "client" in order && !isCalledOff) {
    client = new Client(order.client);
    void client.start();
  }
  if (order.type === "sample") void client?.participant.sample(order.number);
  if (order.type === "finish" && client !== null) client.finish();
  else if (order.type === "finish") {
    isCalledOff = true; // before it began
    send({ type: "finished" });
  }
});
send({ type: "ready" });
