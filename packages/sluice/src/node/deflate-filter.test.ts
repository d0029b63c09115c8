import { afterEach, describe, expect, it, vi } from "vitest";
import { Connection, type ConnectionOptions } from "../connection/connection.ts";
import type { DeflateFilter } from "../protocol/permessage-deflate/codec.ts";
import { HostilePeer } from "../testing/hostile-peer.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { guardFilter } from "./deflate-filter.ts";
import { createPerMessageDeflateCodec } from "./zlib-codec.ts";

const RSV1 = 4;
const JSON_TEXT = '{"name":"sensor"},'.repeat(100);
const BYTES = new Uint8Array(2_000).fill(7);

/** A server's connection that compresses, and the client at its other end. */
function open(filter: DeflateFilter | undefined, options: { hasTakeover?: boolean; sendLimitBytes?: number } = {}) {
  const { hasTakeover = false, sendLimitBytes } = options;
  const clock = new VirtualClock();
  const [transport, peerTransport] = MemoryTransport.pair(clock, { capacityBytes: 4096 });
  const parameters = {
    serverNoContextTakeover: !hasTakeover,
    clientNoContextTakeover: !hasTakeover,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
  };
  const connectionOptions: ConnectionOptions = {
    role: "server",
    clock,
    fillRandom: () => {},
    deflate: createPerMessageDeflateCodec("server", parameters, { filter }),
    sendLimitBytes,
  };
  const connection = new Connection(transport, connectionOptions);
  connection.start({ onMessage() {}, onCloseStarted() {}, onClosed() {} });
  return { clock, connection, peer: new HostilePeer(peerTransport, "client") };
}

function isCompressed(frame: { rsv: number } | undefined): boolean {
  expect(frame).toBeDefined();
  return frame?.rsv === RSV1;
}

let emitWarning: ReturnType<typeof vi.spyOn> | null = null;

function catchWarnings(): unknown[][] {
  const calls: unknown[][] = [];
  emitWarning = vi.spyOn(process, "emitWarning").mockImplementation((...args: unknown[]) => void calls.push(args));
  return calls;
}

afterEach(() => emitWarning?.mockRestore());

describe("RFC 7692 §6: a sender may send any message uncompressed", () => {
  it("compresses all from the threshold without a filter", async () => {
    const { clock, connection, peer } = open(undefined);
    connection.send(JSON_TEXT);
    connection.send(BYTES);
    await clock.run();
    expect(peer.frames.map(isCompressed)).toEqual([true, true]);
  });

  it.each([true, false])("clears RSV1 of what the filter refuses (context takeover: %s)", async (hasTakeover) => {
    const { clock, connection, peer } = open((message) => typeof message === "string", { hasTakeover });
    connection.send(BYTES);
    connection.send(JSON_TEXT);
    connection.send(BYTES);
    await clock.run();
    expect(peer.frames.map(isCompressed)).toEqual([false, true, false]);
    expect(peer.frames[0]?.payload).toEqual(BYTES);
    expect(peer.frames[2]?.payload).toEqual(BYTES);
  });

  it("also of a message of several frames that waits", async () => {
    const { clock, connection, peer } = open(() => false, { sendLimitBytes: 0 });
    const large = new Uint8Array(300_000).fill(1);
    connection.send(JSON_TEXT);
    connection.send(large);
    large.fill(2);
    await clock.run();
    expect(peer.frames.map((frame) => [frame.opcode, frame.rsv])).toEqual([
      [1, 0],
      [2, 0],
      [0, 0],
      [0, 0],
    ]);
    expect(peer.frames.slice(1).every(({ payload }) => payload.every((byte) => byte === 1))).toBe(true);
  });

  it("asks once for each message, with what was given, in order", async () => {
    const asked: (string | Uint8Array)[] = [];
    const filter = (message: string | Uint8Array): boolean => asked.push(message) > 0;
    const { clock, connection } = open(filter, { sendLimitBytes: 0 });
    connection.send(JSON_TEXT);
    connection.send(BYTES);
    connection.send(`${JSON_TEXT}\ud800`);
    await clock.run();
    expect(asked).toEqual([JSON_TEXT, BYTES, `${JSON_TEXT}\ud800`]);
    expect(asked[1]).toBe(BYTES);
  });

  it("does not ask about a message below the threshold, nor one that is not to be compressed anyway", async () => {
    const filter = vi.fn(() => true);
    const { clock, connection, peer } = open(filter);
    connection.send("short");
    connection.send("é".repeat(511)); // 1,022 bytes, although the estimate is above 1,024
    connection.send(BYTES, false);
    await clock.run();
    expect(filter).not.toHaveBeenCalled();
    expect(peer.frames.map(isCompressed)).toEqual([false, false, false]);
  });

  it("keeps its order and its connection when the filter sends, too", async () => {
    const { clock, connection, peer } = open((message) => {
      if (message === JSON_TEXT) connection.send("from within");
      return true;
    });
    connection.send(JSON_TEXT);
    connection.send("behind");
    await clock.run();
    expect(peer.frames.map((frame) => [frame.opcode, isCompressed(frame)])).toEqual([
      [1, false],
      [1, true],
      [1, false],
    ]);
  });
});

describe("a filter that fails", () => {
  it("leaves the message uncompressed and the connection open, and warns once", async () => {
    const warnings = catchWarnings();
    const { clock, connection, peer } = open(() => {
      throw new Error("my fault");
    });
    connection.send(JSON_TEXT);
    connection.send(BYTES);
    await clock.run();
    expect(peer.frames.map(isCompressed)).toEqual([false, false]);
    expect(connection.readyState).toBe(1);
    expect(warnings).toEqual([
      [
        "A perMessageDeflate.filter failed, so its messages are sent uncompressed: Error: my fault",
        {
          type: "SluiceWarning",
          code: "SLUICE_DEFLATE_FILTER",
          detail: expect.stringContaining("deflate-filter.test"),
        },
      ],
    ]);
  });

  it.each([1, "yes", undefined, null, {}])("answers no when it returns %j", (answer) => {
    const warnings = catchWarnings();
    expect(guardFilter((() => answer) as unknown as DeflateFilter)("message")).toBe(false);
    expect(warnings.length).toBe(1);
  });

  it("answers no when it is asynchronous, and a rejection of its promise ends no process", async () => {
    const warnings = catchWarnings();
    const filter = async (): Promise<boolean> => {
      throw new Error("later");
    };
    expect(guardFilter(filter as unknown as DeflateFilter)("message")).toBe(false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings.length).toBe(1);
  });

  it("warns once for all connections that have it", () => {
    const warnings = catchWarnings();
    const filter = (): boolean => {
      throw new Error("again");
    };
    for (const guarded of [guardFilter(filter), guardFilter(filter)]) expect(guarded("message")).toBe(false);
    expect(warnings.length).toBe(1);
  });
});
