import { describe, expect, it } from "vitest";
import { WebSocket } from "../../packages/sluice/src/legacy/websocket.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import type { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { HostileServer } from "../../packages/sluice/src/testing/hostile-server.ts";
import { createScope } from "../support/scope.ts";
import { ManInTheMiddle } from "./man-in-the-middle.ts";
import { createStage, type Meeting } from "./stage.ts";

/*
 * RFC 6455 §10.3: a page, together with a server of the attacker's, chooses what a client sends. Proxies between them must never
 * see bytes of its choice, which they could take for requests and answers, and put into their caches.
 */

const stage = createStage();
const use = createScope();

/** Every masking key that a client used, as a number. */
const keysOf = ({ frames }: HostilePeer): number[] =>
  frames.map(({ maskingKey }) => {
    if (maskingKey === null) throw new Error("A client must mask its frames");
    return new DataView(maskingKey.buffer, maskingKey.byteOffset, 4).getUint32(0);
  });

/** As many distinct keys as random ones are, or so: of 20,000 a pair is the same once in twenty times. */
function expectDistinct(keys: readonly number[]): void {
  expect(new Set(keys).size).toBeGreaterThanOrEqual(keys.length - 2);
}

/** Each of 32 bits is set in about half of the numbers: of 20,000 random ones, within six standard deviations. */
function expectBalanced(numbers: readonly number[]): void {
  const sixSigma = 3 * Math.sqrt(numbers.length);
  for (let bit = 0; bit < 32; bit++) {
    const count = numbers.reduce((sum, number) => sum + ((number >>> bit) & 1), 0);
    expect(Math.abs(count - numbers.length / 2)).toBeLessThan(sixSigma);
  }
}

/** What somebody could try who knows all keys so far. */
const RELATIONS: readonly (readonly [name: string, relate: (key: number, last: number) => number])[] = [
  ["themselves", (key) => key],
  ["what changes from one to the next", (key, last) => key ^ last],
  ["their differences", (key, last) => key - last],
];

async function send({ writable, peer }: Meeting, count: number): Promise<void> {
  const writer = writable.getWriter();
  for (let number = 0; number < count; number++) await writer.write("the same text");
  writer.releaseLock();
  await peer.until(() => peer.frames.length >= count);
}

describe("RFC 6455 §5.3: a server cannot foresee the masking keys of our client", () => {
  it.each(RELATIONS)("20,000 keys in a row, %s: as random numbers are", async (_, relate) => {
    const meeting = await stage.meet("client");
    await send(meeting, 20_000);
    const keys = keysOf(meeting.peer);
    expectDistinct(keys);
    expectBalanced(keys.slice(1).map((key, index) => relate(key, keys[index] as number) >>> 0));
  });

  it("no key is used twice: not by connections of one process, frames of one message, or control frames", async () => {
    const meetings = await Promise.all(
      Array.from({ length: 10 }, () => stage.meet("client", { keepAlive: { intervalMs: 20, timeoutMs: 20_000 } })),
    );
    await Promise.all(
      meetings.map(async (meeting) => {
        const { peer, writable, stream } = meeting;
        await send(meeting, 500);
        const writer = writable.getWriter();
        await writer.write(new Uint8Array(1_048_576));
        peer.sendFrame({ opcode: 9, payload: "ping" });
        await peer.until(() => peer.framesOf(10).length > 0 && peer.framesOf(9).length > 0);
        stream.close({ closeCode: 4000 });
        await peer.until(() => peer.closes.length > 0);
        peer.sendClose(4000);
        peer.end();
        await stream.closed;
        await writer.closed.catch(() => {});
      }),
    );
    const keys = meetings.flatMap(({ peer }) => keysOf(peer));
    expect(keys.length).toBeGreaterThanOrEqual(10 * (500 + 8 + 3));
    expectDistinct(keys);
  });

  it("the class WebSocket has no others", async () => {
    const hostile = use(await HostileServer.listen());
    const socket = new WebSocket(hostile.url);
    const peer = await hostile.accept();
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    for (let number = 0; number < 5_000; number++) socket.send("the same text");
    await peer.until(() => peer.frames.length === 5_000);
    expectDistinct(keysOf(peer));
    expectBalanced(keysOf(peer));
    peer.destroy();
    await new Promise((resolve) => socket.addEventListener("close", resolve));
  });

  it("keys of messages that are sent at once differ as those of messages that are not", async () => {
    const { writable, peer } = await stage.meet("client");
    const writer = writable.getWriter();
    await Promise.all(Array.from({ length: 2_000 }, () => writer.write(new Uint8Array(64))));
    await peer.until(() => peer.frames.length === 2_000);
    expectDistinct(keysOf(peer));
  });
});

describe("RFC 6455 §10.3: what a page sends is never on the wire as it is", () => {
  const attack = "GET /script.js HTTP/1.1\r\nHost: victim.example\r\n\r\n";

  it.each([
    ["text", attack],
    ["bytes", Buffer.from(attack)],
    ["a large message", Buffer.from(attack.repeat(20_000))],
    ["no bytes that begin a request, in any of four places", Buffer.from(" GET /".repeat(300))],
  ])("%s", async (_, message) => {
    const hostile = use(await HostileServer.listen());
    const between = use(await ManInTheMiddle.stand(Number(new URL(hostile.url).port)));
    const seen: Buffer[] = [];
    between.filters.server = (bytes) => {
      seen.push(bytes);
      return bytes;
    };
    const stream = new WebSocketStream(`ws://127.0.0.1:${between.port}/`, { perMessageDeflate: false });
    const meeting = await stage.observe(stream, await hostile.accept());
    seen.length = 0;
    const writer = meeting.writable.getWriter();
    const count = message.length > 100_000 ? 10 : 1_000;
    for (let number = 0; number < count; number++) await writer.write(message);
    const { peer } = meeting;
    await peer.until(() => peer.frames.filter(({ opcode, isFin }) => opcode <= 2 && isFin).length === count);
    const wire = Buffer.concat(seen);
    expect(wire.byteLength).toBeGreaterThan(count * message.length);
    // Random bytes look like these five once in 2^40 places.
    expect(wire.includes("GET /")).toBe(false);
  });
});
