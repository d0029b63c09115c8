import { once } from "node:events";
import net from "node:net";
import { Duplex } from "node:stream";
import tls from "node:tls";
import selfsigned from "selfsigned";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ByteTransportListener } from "../connection/byte-transport.ts";
import { DuplexTransport } from "./duplex-transport.ts";

let certificate: { key: string; cert: string };
beforeAll(async () => {
  const made = await selfsigned.generate([{ name: "commonName", value: "localhost" }], { keySize: 2048 });
  certificate = { key: made.private, cert: made.cert };
});

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** @param wrap what the local TLS socket runs on: a plain socket unless said otherwise */
async function tlsPair(
  wrap: (socket: net.Socket) => Duplex = (socket) => socket,
): Promise<[local: tls.TLSSocket, peer: tls.TLSSocket]> {
  const server = tls.createServer({ ...certificate, allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "secureConnection") as Promise<[tls.TLSSocket]>;
  const raw = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
  const local = tls.connect({ socket: wrap(raw), ca: certificate.cert, servername: "localhost" });
  await once(local, "secureConnect");
  const [peer] = await accepted;
  peer.on("error", () => {});
  server.close();
  cleanups.push(() => {
    local.destroy();
    peer.destroy();
  });
  return [local, peer];
}

/** Keeps a copy of what comes, and says when there is enough. */
class Collector implements ByteTransportListener {
  readonly chunks: Buffer[] = [];
  readonly borrowed: boolean[] = [];
  readonly log: string[] = [];
  received = 0;
  onChunk: (() => void) | null = null;
  #waiters: (() => void)[] = [];

  onData(chunk: Uint8Array, isBorrowed: boolean): void {
    this.chunks.push(Buffer.from(chunk));
    // Whoever gets borrowed memory may write to it: frames are unmasked in place.
    chunk.fill(0xee);
    this.borrowed.push(isBorrowed);
    this.received += chunk.length;
    if (this.log.at(-1) !== "data") this.log.push("data");
    this.onChunk?.();
    this.#wake();
  }
  onAccepted(): void {}
  onEnd(): void {
    this.log.push("end");
    this.#wake();
  }
  onClose(): void {
    this.log.push("close");
    this.#wake();
  }
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }
  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}

function start(duplex: Duplex): { transport: DuplexTransport; told: Collector } {
  const transport = new DuplexTransport(duplex);
  const told = new Collector();
  transport.start(told);
  return { transport, told };
}

const nextTask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Bytes of which each place has a value of its own. */
const content = Buffer.from(Uint32Array.from({ length: 500_000 }, (_, i) => Math.imul(i, 0x9e3779b1)).buffer);

describe("a TLS socket that reads into the buffer of the process", () => {
  it("hands over each record in it, in order", async () => {
    const [local, peer] = await tlsPair();
    const { transport, told } = start(local);
    transport.resume();
    peer.write(content);
    await told.until(() => told.received === content.length);
    expect(Buffer.concat(told.chunks).equals(content)).toBe(true);
    expect(new Set(told.borrowed)).toEqual(new Set([true]));
  });

  it("reads nothing before resume(), and never from inside resume()", async () => {
    const [local, peer] = await tlsPair();
    const { transport, told } = start(local);
    peer.write(content);
    for (let turn = 0; turn < 50; turn++) await nextTask();
    expect(told.log).toEqual([]);
    expect(transport.unreadBytes).toBeLessThanOrEqual(131_072);
    transport.resume();
    expect(told.log).toEqual([]);
    await told.until(() => told.received === content.length);
    expect(Buffer.concat(told.chunks).equals(content)).toBe(true);
  });

  it("delivers nothing more after pause(): holds what the read in progress brought, and gives it first", async () => {
    const [local, peer] = await tlsPair();
    const { transport, told } = start(local);
    let isPaused = false;
    let chunksWhilePaused = 0;
    let most = 0;
    told.onChunk = () => {
      if (isPaused) chunksWhilePaused++;
      isPaused = true;
      transport.pause();
      setImmediate(() => {
        most = Math.max(most, transport.unreadBytes);
        isPaused = false;
        transport.resume();
      });
    };
    transport.resume();
    peer.write(content);
    await told.until(() => told.received === content.length);
    expect(Buffer.concat(told.chunks).equals(content)).toBe(true);
    expect(chunksWhilePaused).toBe(0);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(65_536);
    expect(transport.unreadBytes).toBe(0);
    // What was held is memory of its own.
    expect(new Set(told.borrowed)).toEqual(new Set([true, false]));
  });

  it("tells a FIN behind what is held", async () => {
    const [local, peer] = await tlsPair();
    const { transport, told } = start(local);
    told.onChunk = () => transport.pause();
    transport.resume();
    peer.end(content.subarray(0, 40_000));
    await told.until(() => told.received > 0);
    for (let turn = 0; turn < 50; turn++) await nextTask();
    expect(told.log).toEqual(["data"]);
    expect(told.received).toBeLessThan(40_000);
    told.onChunk = null;
    transport.resume();
    await told.until(() => told.log.includes("end"));
    expect(told.log).toEqual(["data", "end"]);
    expect(Buffer.concat(told.chunks).equals(content.subarray(0, 40_000))).toBe(true);
    transport.end();
    await told.until(() => told.log.includes("close"));
  });

  it("that is gone with a FIN untold gives what is held in front of it", async () => {
    const [local, peer] = await tlsPair();
    const { transport, told } = start(local);
    // One read: three records and the alert that ends the stream.
    peer.cork();
    peer.end(content.subarray(0, 40_000));
    peer.uncork();
    for (let turn = 0; turn < 50; turn++) await nextTask();
    told.onChunk = () => transport.pause();
    transport.resume();
    await once(local, "end");
    expect(told.log).toEqual(["data"]);
    transport.end();
    await told.until(() => told.log.includes("close"));
    expect(told.log).toEqual(["data", "end", "close"]);
    expect(Buffer.concat(told.chunks).equals(content.subarray(0, 40_000))).toBe(true);
  });

  it("stays with 'data' events over a stream that is no socket", async () => {
    const [local, peer] = await tlsPair((socket) =>
      Duplex.from({ readable: socket, writable: socket } as unknown as NodeJS.ReadableStream),
    );
    const { transport, told } = start(local);
    transport.resume();
    peer.write(content);
    await told.until(() => told.received === content.length);
    expect(Buffer.concat(told.chunks).equals(content)).toBe(true);
    expect(new Set(told.borrowed)).toEqual(new Set([false]));
  });

  it("stays with 'data' events where bytes were read before", async () => {
    const [local, peer] = await tlsPair();
    const arrived = once(local, "readable");
    peer.write(content.subarray(0, 100));
    await arrived;
    const { transport, told } = start(local);
    transport.resume();
    peer.write(content.subarray(100));
    await told.until(() => told.received === content.length);
    expect(Buffer.concat(told.chunks).equals(content)).toBe(true);
    expect(new Set(told.borrowed)).toEqual(new Set([false]));
  });
});
