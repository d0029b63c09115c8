import { constants, createDeflateRaw, type DeflateRaw, deflateRawSync, type ZlibOptions } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { PerMessageDeflateOptions } from "../../packages/sluice/src/index.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import type { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { HostileServer } from "../../packages/sluice/src/testing/hostile-server.ts";
import { expectBytes, expectClose, expectFailure, readAll } from "./outcome.ts";
import { randomOf } from "./random.ts";
import { createStage, type Meeting, ROLES, type Role, withField } from "./stage.ts";

const stage = createStage();

const MIB = 1_048_576;
const RESERVE = 131_072;
const INFLATER = 262_144;

/** What both sides agree on (RFC 7692 §7.1), and how an attacker compresses then. */
interface Mode {
  readonly name: string;
  readonly options: PerMessageDeflateOptions;
  /** What the peer offers, or answers. */
  readonly parameters: string;
  readonly zlib: ZlibOptions;
  readonly takesOver: boolean;
}

const MODES: readonly Mode[] = [
  { name: "with context takeover", options: {}, parameters: "", zlib: {}, takesOver: true },
  {
    name: "without context takeover",
    options: { serverNoContextTakeover: true, clientNoContextTakeover: true },
    parameters: "; server_no_context_takeover; client_no_context_takeover",
    zlib: {},
    takesOver: false,
  },
  {
    name: "with windows of 512 bytes",
    options: { serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
    parameters: "; server_max_window_bits=9; client_max_window_bits=9",
    zlib: { windowBits: 9 },
    takesOver: true,
  },
];

async function meet(role: Role, { options, parameters }: Mode, maxMessageBytes = MIB): Promise<Meeting> {
  const settings = { perMessageDeflate: options, maxMessageBytes };
  const request = (legal: string): string =>
    withField(legal, `Sec-WebSocket-Extensions: permessage-deflate${parameters}`);
  let meeting: Meeting;
  if (role === "server") {
    const client = stage.expectClient(settings);
    const peer = await stage.connect({ url: client.url, request });
    meeting = await stage.observe(await client.stream, peer);
  } else {
    const hostile = await HostileServer.listen({ respond: request });
    stage.onEnd(() => hostile.close());
    const stream = new WebSocketStream(hostile.url, settings);
    meeting = await stage.observe(stream, await hostile.accept());
  }
  for (const parameter of parameters.split("; ").slice(1)) {
    expect((await meeting.stream.opened).extensions).toContain(parameter);
  }
  return meeting;
}

/** Compresses the next message of a peer that takes its context over. */
async function compress(deflate: DeflateRaw, bytes: Uint8Array): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const onData = (chunk: Uint8Array): void => void chunks.push(chunk);
  deflate.on("data", onData);
  deflate.write(bytes);
  await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
  deflate.off("data", onData);
  return Buffer.concat(chunks).subarray(0, -4);
}

const sendCompressed = (peer: HostilePeer, payload: Uint8Array): void => peer.sendFrame({ opcode: 2, rsv: 4, payload });

/** Bytes that compress badly, so that what is short on the wire refers to something. */
function noise(seed: number, byteLength: number): Uint8Array {
  const random = randomOf(seed);
  return Uint8Array.from({ length: byteLength }, () => 256 * random());
}

describe.each(ROLES)("RFC 7692 §7: an attacker who compresses, against our %s", (role) => {
  describe.each(MODES)("$name", (mode) => {
    it("a bomb behind honest messages: they are delivered, it is refused while it inflates", async () => {
      const meeting = await meet(role, mode);
      const reading = readAll(meeting.readable);
      const deflate = createDeflateRaw(mode.zlib);
      const honest = Array.from({ length: 20 }, (_, seed) => noise(seed, 1_000 * seed));
      for (const bytes of honest) {
        sendCompressed(meeting.peer, await compress(deflate, bytes));
        if (!mode.takesOver) deflate.reset();
      }
      sendCompressed(meeting.peer, await compress(deflate, new Uint8Array(4 * MIB)));
      await expectFailure(meeting, "ERR_SLUICE_MESSAGE_TOO_BIG");
      await expectClose(meeting, 1009);
      const { messages } = await reading;
      expect(messages).toHaveLength(honest.length);
      for (const [index, bytes] of honest.entries()) expectBytes(messages[index], bytes);
      expect(meeting.heldBytes.in).toBeLessThanOrEqual(2 * MIB + INFLATER + RESERVE);
      deflate.close();
    });

    it("text of many empty blocks, and a final block in the middle: legal, and counted", async () => {
      const meeting = await meet(role, mode);
      const reader = meeting.readable.getReader();
      const empty = Uint8Array.of(0, 0, 0, 0xff, 0xff);
      const final = deflateRawSync("Hello", mode.zlib);
      const blocks = [...Array.from({ length: 1_000 }, () => empty), final, empty, final, Uint8Array.of(0)];
      sendCompressed(meeting.peer, Buffer.concat(blocks));
      expect(Buffer.from((await reader.read()).value as Uint8Array).toString()).toBe("HelloHello");
    });

    it.each([
      ["a reserved type of block", [0x07]],
      ["half a block", [0xf2, 0x48]],
      ["text", [...Buffer.from("garbage")]],
      ["ones", [0xff, 0xff, 0xff, 0xff]],
    ])("%s behind the final block: 1007", async (_, garbage) => {
      const meeting = await meet(role, mode);
      sendCompressed(meeting.peer, Buffer.concat([deflateRawSync("Hello", mode.zlib), Uint8Array.from(garbage)]));
      await expectFailure(meeting, "ERR_SLUICE_INVALID_DEFLATE_DATA");
      await expectClose(meeting, 1007);
    });

    it("a reference to before the first message: 1007, and never what another connection received", async () => {
      const secret = noise(99, 100);
      // A context that was used, and may be used again.
      const other = await meet(role, mode);
      const reader = other.readable.getReader();
      for (let count = 0; count < 3; count++) {
        const flushed = deflateRawSync(secret, { ...mode.zlib, finishFlush: constants.Z_SYNC_FLUSH });
        sendCompressed(other.peer, flushed.subarray(0, -4));
        expectBytes((await reader.read()).value, secret);
      }
      const meeting = await meet(role, mode);
      const deflate = createDeflateRaw(mode.zlib);
      await compress(deflate, secret);
      const reference = await compress(deflate, secret);
      expect(reference.byteLength).toBeLessThan(30);
      const reading = readAll(meeting.readable);
      sendCompressed(meeting.peer, reference);
      await expectFailure(meeting, "ERR_SLUICE_INVALID_DEFLATE_DATA");
      await expectClose(meeting, 1007);
      expect((await reading).messages).toEqual([]);
      deflate.close();
    });

    it(`a reference to the message before: ${mode.takesOver ? "it is inflated" : "1007, as that is gone"}`, async () => {
      const meeting = await meet(role, mode);
      const reader = meeting.readable.getReader();
      const deflate = createDeflateRaw(mode.zlib);
      const bytes = noise(5, 100);
      sendCompressed(meeting.peer, await compress(deflate, bytes));
      expectBytes((await reader.read()).value, bytes);
      sendCompressed(meeting.peer, await compress(deflate, bytes));
      if (mode.takesOver) expectBytes((await reader.read()).value, bytes);
      else {
        await expectFailure(meeting, "ERR_SLUICE_INVALID_DEFLATE_DATA");
        await expectClose(meeting, 1007);
        await reader.closed.catch(() => {});
      }
      deflate.close();
    });
  });
});

describe("RFC 7692 §7.1: floods of negotiation", () => {
  const offers = (count: number, each: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => each(index)).join(",");
  const good = "permessage-deflate; server_no_context_takeover";

  it.each([
    ["99 that cannot be kept, and one that can", `${offers(99, () => "permessage-deflate;x=1")},${good}`, true],
    ["100 that can be kept: the first is chosen", `${good},${offers(99, () => "permessage-deflate")}`, true],
    ["a good one behind 5,000 other extensions", `${offers(5_000, () => "x")},${good}`, true],
    ["one that has 100 parameters twice", `permessage-deflate${";server_no_context_takeover".repeat(100)}`, false],
    ["300 windows of all sizes", offers(300, (index) => `permessage-deflate;server_max_window_bits=${index}`), null],
  ])("%s", async (_, value, isChosen) => {
    const client = stage.expectClient({ perMessageDeflate: true });
    const peer = await stage.connect({
      url: client.url,
      request: (legal) => withField(legal, `Sec-WebSocket-Extensions: ${value}`),
    });
    expect(peer.statusCode).toBe(101);
    const [field = "", ...more] = peer.head.match(/^sec-websocket-extensions: .*$/gim) ?? [];
    expect(more).toEqual([]);
    if (isChosen === true) expect(field.toLowerCase()).toContain(`: ${good}`);
    if (isChosen === false) expect(field).toBe("");
    // Whatever was chosen is one answer to one offer.
    expect(field.match(/permessage-deflate/g)?.length ?? 0).toBeLessThanOrEqual(1);
    const windows = [...field.matchAll(/max_window_bits=(\d+)/g)].map(([, bits]) => Number(bits));
    for (const bits of windows) expect([8, 9, 10, 11, 12, 13, 14, 15]).toContain(bits);
  });

  it("100 fields of offers, which is as many fields as there may be with the others: 431", async () => {
    const client = stage.expectClient({ perMessageDeflate: true });
    const peer = await stage.connect({
      url: client.url,
      request: (legal) =>
        Array.from({ length: 100 }, () => `Sec-WebSocket-Extensions: ${good}`).reduce(withField, legal),
    });
    expect(peer.statusCode).toBe(431);
  });
});
