import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KeepaliveOptions } from "../../packages/sluice/src/index.ts";
import { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { MemoryTransport } from "../../packages/sluice/src/testing/memory-transport.ts";
import { createStream } from "../../packages/sluice/src/testing/pair.ts";
import { VirtualClock } from "../../packages/sluice/src/testing/virtual-clock.ts";
import { bundleProgram, EndProcess } from "./end-process.ts";
import type { Report } from "./end-program.ts";
import { createNetworkPair, type NetworkPair } from "./network-namespaces.ts";
import { createMessage } from "./numbered-message.ts";
import { ROLES, type Role } from "./stage.ts";
import { type Activity, COUNTERPART, transfer } from "./transfer.ts";

/*
 * A machine that loses its power or its network sends neither FIN nor RST. Over loopback that cannot be had, as the same kernel
 * has both ends and goes on acknowledging: it takes two network namespaces and a cable that is cut. Where the system has
 * none, the memory transport stands in (the run says so, and why), which is told to take nothing and to say nothing. It
 * is tested in any case, as only its clock can show that nothing happens too early.
 */

const KEEP_ALIVE: KeepaliveOptions = { intervalMs: 250, timeoutMs: 250, stalledTimeoutMs: 500 };

const CASES: readonly (readonly [Activity, code: string])[] = [
  // All that was received is read, then there is silence, and no answer to a Ping.
  ["reads", "ERR_SLUICE_PEER_DEAD"],
  // Something waits to be sent, and the peer takes nothing of it.
  ["writes", "ERR_SLUICE_PEER_STALLED"],
  ["both", "ERR_SLUICE_PEER_STALLED"],
  ["idles", "ERR_SLUICE_PEER_DEAD"],
];

const network = createNetworkPair();
if (typeof network === "string") console.info(`A peer that vanishes: over memory only, as ${network}`);
else {
  console.info("A peer that vanishes: in two network namespaces, and over memory");
  // Also when the run is interrupted.
  process.once("exit", network.remove);
  afterAll(() => network.remove());
}

function describeNetwork(name: string, { near, far, cut }: NetworkPair): void {
  describe(name, () => {
    const names = ROLES.flatMap((role) => CASES.map(([activity]) => `${role} ${activity}`));
    const outcomes = new Map<string, Report>();
    let program: Awaited<ReturnType<typeof bundleProgram>>;
    let ours: EndProcess;
    let theirs: EndProcess;

    beforeAll(async () => {
      program = await bundleProgram("end-program");
      ours = new EndProcess(program.path, { host: near.address, keepAlive: KEEP_ALIVE }, near.prefix);
      theirs = new EndProcess(program.path, { host: far.address, keepAlive: false }, far.prefix);
      const [ourPort, theirPort] = await Promise.all([ours.port(), theirs.port()]);
      for (const [activity] of CASES) {
        const counterpart = COUNTERPART[activity];
        ours.send({ url: `ws://${far.address}:${theirPort}/${counterpart}`, activity });
        theirs.send({ url: `ws://${near.address}:${ourPort}/${activity}`, activity: counterpart });
      }
      const isOf =
        (event: Report["event"], name: string) =>
        (report: Report): report is Report =>
          report.event === event && "name" in report && report.name === name;
      await Promise.all(names.map((each) => ours.report(isOf("moving", each))));
      cut();
      for (const each of names) outcomes.set(each, await ours.report(isOf("ended", each)));
    });

    afterAll(async () => {
      await Promise.all([ours.kill(), theirs.kill()]);
      program.remove();
    });

    it.each(ROLES.flatMap((role) => CASES.map(([activity, code]) => [role, activity, code] as const)))(
      "our %s that %s settles with %s",
      (role, activity, code) => {
        expect(outcomes.get(`${role} ${activity}`)).toMatchObject({ closeCode: 1006, code });
        expect(ours.errors).toBe("");
      },
    );
  });
}

if (typeof network !== "string") describeNetwork("a peer whose network goes down in the middle of a transfer", network);

describe.each(ROLES)("a peer of our %s that vanishes, over memory", (role) => {
  it.each(CASES)("that %s settles with %s, when the documented time is over and not before", async (activity, code) => {
    const { clock, stream, peer } = meet(role);
    let outcome: unknown = null;
    const { ended } = transfer(stream, activity);
    void ended.then((end) => {
      outcome = end;
    });
    if (activity === "reads" || activity === "both") {
      for (let number = 0; number < 20; number++) peer.sendBinary(createMessage(number));
    }
    // A transfer that nobody stops would never come to rest.
    peer
      .until(() => peer.bytesReceived > 300_000)
      .then(
        () => peer.vanish(),
        () => {},
      );
    await clock.run();
    peer.vanish();
    // The first check may find what came before; then a Ping, or the backlog, and its own time.
    await clock.advance(KEEP_ALIVE.intervalMs - 1);
    expect(outcome).toBe(null);
    await clock.advance(2 * KEEP_ALIVE.intervalMs + (KEEP_ALIVE.stalledTimeoutMs as number));
    const received = activity === "reads" || activity === "both" ? 20 : 0;
    expect(outcome).toEqual({ damaged: null, received, closeCode: 1006, code, isSameError: true });
    expect(clock.pendingTimers).toBeLessThanOrEqual(1); // the linger of the transport
    await clock.advance(2_000);
    expect(clock.pendingTimers).toBe(0);
  });
});

function meet(role: Role) {
  const clock = new VirtualClock();
  const [transport, peerTransport] = MemoryTransport.pair(clock);
  const stream = createStream(transport, { role, clock, options: { keepAlive: KEEP_ALIVE } });
  const peer = new HostilePeer(peerTransport, role === "server" ? "client" : "server");
  return { clock, stream, peer };
}
