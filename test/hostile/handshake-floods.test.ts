import { describe, expect, it } from "vitest";
import type { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { measureProcessMemory } from "./process-memory.ts";
import { createStage, turn } from "./stage.ts";

/** Those who wait for the hook; each is let in when it says so. */
const waiting: (() => void)[] = [];

/** Bystanders take 5 of the connections; the pending handshakes and the address's share are nearly as few. */
const stage = createStage(
  { handshakeTimeoutMs: 1_000, maxPendingHandshakes: 10, maxConnections: 40, maxConnectionsPerAddress: 30 },
  (request) => (request.url === "/wait" ? new Promise((resolve) => waiting.push(() => resolve(undefined))) : undefined),
);

const pathTo =
  (path: string) =>
  (legal: string): string =>
    legal.replace(" / ", ` ${path} `);

/** Ends what a flood left behind. */
async function leave(peers: readonly HostilePeer[]): Promise<void> {
  for (const peer of peers) peer.destroy();
  for (const admit of waiting.splice(0)) admit();
  await stage.untilConnections(0);
}

describe("RFC 6455 §10.1: floods of handshakes", () => {
  it("as many wait as may; the others get 503 with Retry-After at once, and their places are free again", async () => {
    const first: HostilePeer[] = [];
    for (let count = 0; count < 10; count++) {
      const peer = await stage.connect({ request: () => null });
      peer.send(pathTo("/wait")(createRequest()));
      first.push(peer);
    }
    while (waiting.length < 10) await turn();
    const refused = await Promise.all(Array.from({ length: 100 }, () => stage.connect({ request: pathTo("/wait") })));
    expect(refused.map((peer) => peer.statusCode)).toEqual(refused.map(() => 503));
    expect(refused.every((peer) => /^retry-after: \d+\r$/im.test(peer.head))).toBe(true);
    expect(Buffer.from(refused[0]?.rest ?? []).toString()).toContain("maxPendingHandshakes");
    expect(waiting.length).toBe(10);
    // Half of them give up; half are let in.
    for (const peer of first.slice(0, 5)) peer.reset();
    for (const admit of waiting.splice(0)) admit();
    await Promise.all(first.slice(5).map((peer) => peer.until(() => peer.statusCode === 101)));
    await leave([...first, ...refused]);
    const [next] = await Promise.all([stage.connect()]);
    expect(next.statusCode).toBe(101);
  });

  it("one address gets its share and no more: 429", async () => {
    const peers = await Promise.all(Array.from({ length: 200 }, () => stage.connect()));
    const statuses = peers.map((peer) => peer.statusCode);
    expect(statuses.filter((status) => status === 101)).toHaveLength(25);
    expect(statuses.filter((status) => status === 429)).toHaveLength(175);
    await leave(peers);
  });

  it("a hook that is kept waiting is given up: 503", async () => {
    const peers = await Promise.all(Array.from({ length: 8 }, () => stage.connect({ request: pathTo("/wait") })));
    expect(peers.map((peer) => peer.statusCode)).toEqual(peers.map(() => 503));
    expect(Buffer.from(peers[0]?.rest ?? []).toString()).toContain("handshakeTimeoutMs");
    await leave(peers);
  });

  it("slow heads, a byte now and then, get 408; silence, the end", async () => {
    const slow = await Promise.all(Array.from({ length: 100 }, () => stage.connect({ request: () => null })));
    const silent = await Promise.all(Array.from({ length: 100 }, () => stage.connect({ request: () => null })));
    let isOver = false;
    const head = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    const dribbling = (async () => {
      for (let index = 0; !isOver; index++) {
        for (const peer of slow) if (!peer.hasEnded) peer.send(head[index] ?? "x");
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    await Promise.all([...slow, ...silent].map((peer) => peer.until(() => peer.hasEnded || peer.isClosed)));
    isOver = true;
    await dribbling;
    expect(slow.map((peer) => peer.statusCode)).toEqual(slow.map(() => 408));
    await leave([...slow, ...silent]);
  });

  it("refused clients that neither read nor leave are cut off", async () => {
    const peers: HostilePeer[] = [];
    for (let count = 0; count < 50; count++) {
      const peer = await stage.connect({ request: (legal) => legal.replace("Version: 13", "Version: 1") });
      expect(peer.statusCode).toBe(426);
      peers.push(peer);
    }
    // Nobody ends: after two seconds the server does not wait any longer, and resets what still comes.
    await Promise.all(
      peers.map(async (peer) => {
        await peer.flood(Buffer.from("x"), 1);
        while (!peer.isClosed) {
          peer.send("x");
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }),
    );
  });

  it("thousands of handshakes that come and go leave nothing behind", async () => {
    await measureProcessMemory();
    const rounds: number[] = [];
    for (let round = 0; round < 6; round++) {
      for (let batch = 0; batch < 6; batch++) {
        const peers = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            stage.connect({ request: (legal) => (index % 2 ? legal : legal.replace("Version: 13", "Version: 1")) }),
          ),
        );
        for (const [index, peer] of peers.entries()) index % 3 === 0 ? peer.reset() : peer.destroy();
        await stage.untilConnections(0);
      }
      rounds.push(await measureProcessMemory());
    }
    expect((rounds.at(-1) as number) - (rounds[1] as number)).toBeLessThan(4 * 1024 * 1024);
  });
});

function createRequest(): string {
  return [
    "GET / HTTP/1.1",
    `Host: ${new URL(stage.url).host}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "\r\n",
  ].join("\r\n");
}
