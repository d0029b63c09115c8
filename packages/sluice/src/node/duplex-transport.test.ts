import { once } from "node:events";
import net from "node:net";
import { Duplex, PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ByteTransportListener } from "../connection/byte-transport.ts";
import { DuplexTransport } from "./duplex-transport.ts";

/** Everything that a transport tells, in order; `until()` waits for a state instead of a time. */
class Recorder implements ByteTransportListener {
  readonly log: string[] = [];
  isSocket = true;
  received = 0;
  accepted = 0;
  closeError: Error | null | undefined;
  onChunk: (() => void) | null = null;
  #waiters: (() => void)[] = [];

  onData(chunk: Uint8Array, isBorrowed: boolean): void {
    this.received += chunk.length;
    this.log.push("data");
    expect(isBorrowed).toBe(readsStatically && this.isSocket);
    this.onChunk?.();
    this.#wake();
  }
  onAccepted(byteLength: number): void {
    this.accepted += byteLength;
    this.#wake();
  }
  onEnd(): void {
    this.log.push("end");
    this.#wake();
  }
  onClose(error: Error | null): void {
    this.log.push("close");
    this.closeError = error;
    this.#wake();
  }
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }
  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function socketPair(): Promise<[local: net.Socket, peer: net.Socket]> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[net.Socket]>;
  const local = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
  await once(local, "connect");
  const [peer] = await accepted;
  peer.on("error", () => {});
  server.close();
  cleanups.push(() => {
    local.destroy();
    peer.destroy();
  });
  return [local, peer];
}

let readsStatically = false;

function start(duplex: Duplex): { transport: DuplexTransport; told: Recorder } {
  const transport = new DuplexTransport(duplex, { readsStatically });
  const told = new Recorder();
  told.isSocket = duplex instanceof net.Socket;
  transport.start(told);
  return { transport, told };
}

const nextTask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each([
  ["'data' events", false],
  ["one static buffer", true],
])("DuplexTransport with %s", (_, isStatic) => {
  beforeEach(() => {
    readsStatically = isStatic;
  });

  describe("reading", () => {
    it("reads nothing before resume(), and never from inside resume()", async () => {
      const [local, peer] = await socketPair();
      const { transport, told } = start(local);
      await new Promise<void>((resolve) => peer.write("hello", () => resolve()));
      for (let turn = 0; turn < 5; turn++) await nextTask();
      expect(told.log).toEqual([]);
      transport.resume();
      expect(told.log).toEqual([]);
      await told.until(() => told.received === 5);
      expect(told.log).toEqual(["data"]);
    });

    it("pause() inside onData stops delivery although more is buffered, and resume() brings all of it", async () => {
      const [local, peer] = await socketPair();
      const { transport, told } = start(local);
      const total = 3_000_000;
      peer.write(Buffer.alloc(total));
      let isPaused = false;
      let chunksWhilePaused = 0;
      told.onChunk = () => {
        if (isPaused) chunksWhilePaused++;
        isPaused = true;
        transport.pause();
        setImmediate(() => {
          isPaused = false;
          transport.resume();
        });
      };
      transport.resume();
      await told.until(() => told.received === total);
      expect(chunksWhilePaused).toBe(0);
    });

    it("holds at most two reads (RX4) while paused however much the peer sends", async () => {
      const [local, peer] = await socketPair();
      const { transport } = start(local);
      transport.resume();
      transport.pause();
      peer.write(Buffer.alloc(2_000_000));
      for (let turn = 0; turn < 50; turn++) await nextTask();
      expect(transport.unreadBytes).toBeLessThanOrEqual(isStatic ? 0 : 131_072);
    });

    it("puts bytes back when somebody else resumed the stream", async () => {
      const stream = new PassThrough();
      const { transport, told } = start(stream);
      stream.write("abc");
      stream.resume();
      await nextTask();
      expect(told.received).toBe(0);
      transport.resume();
      await told.until(() => told.received === 3);
    });

    it("tells FIN after all data, keeps our side open, and closes once both sides have ended", async () => {
      const [local, peer] = await socketPair();
      const { transport, told } = start(local);
      transport.resume();
      peer.end("last");
      await told.until(() => told.log.includes("end"));
      expect(told.log).toEqual(["data", "end"]);
      const answer = once(peer, "data") as Promise<[Buffer]>;
      peer.resume();
      transport.write(Buffer.from("answer"));
      expect((await answer)[0].toString()).toBe("answer");
      transport.end();
      await told.until(() => told.log.includes("close"));
      expect(told.log).toEqual(["data", "end", "close"]);
      expect(told.closeError).toBe(null);
    });

    it("tells a FIN that came during pause() only after resume()", async () => {
      const [local, peer] = await socketPair();
      const { transport, told } = start(local);
      peer.end();
      for (let turn = 0; turn < 50; turn++) await nextTask();
      expect(told.log).toEqual([]);
      transport.resume();
      expect(told.log).toEqual([]);
      await told.until(() => told.log.includes("end"));
      transport.destroy();
      await told.until(() => told.log.includes("close"));
      expect(told.log).toEqual(["end", "close"]);
    });

    it("tells the end of a stream that had ended before it was wrapped", async () => {
      const stream = new PassThrough();
      stream.push(null);
      stream.resume();
      await once(stream, "end");
      const { transport, told } = start(stream);
      expect(told.log).toEqual([]);
      transport.resume();
      await told.until(() => told.log.includes("end"));
      transport.destroy();
      await told.until(() => told.log.includes("close"));
      expect(told.log).toEqual(["end", "close"]);
    });
  });

  describe("writing", () => {
    it("write() is true when the kernel took all at once, and then nothing is unsent and onAccepted is silent", async () => {
      const [local, peer] = await socketPair();
      const { transport, told } = start(local);
      let received = "";
      peer.on("data", (chunk: Buffer) => {
        received += chunk;
      });
      expect(transport.write(Buffer.from("ab"))).toBe(true);
      expect(transport.write(Buffer.from("cd"))).toBe(true);
      expect(transport.unsentBytes).toBe(0);
      peer.resume();
      while (received !== "abcd") await once(peer, "data");
      expect(told.accepted).toBe(0);
    });

    it("write() is false for what the kernel did not take, and unsentBytes falls exactly by what onAccepted says", async () => {
      const [local, peer] = await socketPair();
      const { transport, told } = start(local);
      const block = Buffer.alloc(1_000_000);
      let queued = 0;
      let index = 0;
      for (; index < 20; index++) if (!transport.write(block)) queued += block.length;
      expect(queued).toBeGreaterThan(0);
      expect(transport.unsentBytes).toBe(queued);
      expect(told.accepted).toBe(0);
      peer.resume();
      await told.until(() => {
        expect(transport.unsentBytes).toBe(queued - told.accepted);
        return told.accepted === queued;
      });
      expect(transport.unsentBytes).toBe(0);
    });

    it("keeps count over thousands of queued writes", async () => {
      const [local, peer] = await socketPair();
      const { transport, told } = start(local);
      let queued = 0;
      for (let index = 0; index < 5000; index++) {
        if (!transport.write(Buffer.alloc(4000 + (index % 7)))) queued += 4000 + (index % 7);
      }
      expect(transport.unsentBytes).toBe(queued);
      peer.resume();
      await told.until(() => told.accepted === queued);
      expect(transport.unsentBytes).toBe(0);
      expect(transport.write(Buffer.from("x"))).toBe(true);
    });

    it("copies for a Duplex that is no socket: the memory may be used again", async () => {
      const kept: Buffer[] = [];
      const stream = new Duplex({
        read() {},
        write(chunk: Buffer, _encoding, done) {
          kept.push(chunk);
          done();
        },
      });
      const { transport, told } = start(stream);
      const bytes = Buffer.from("abc");
      expect(transport.write(bytes)).toBe(false);
      await told.until(() => told.accepted === 3);
      bytes.fill("x");
      expect(kept.map(String)).toEqual(["abc"]);
    });

    it("end() sends FIN after everything written", async () => {
      const [local, peer] = await socketPair();
      const { transport } = start(local);
      const total = 4_000_000;
      transport.write(Buffer.alloc(total));
      transport.end();
      transport.end();
      let received = 0;
      peer.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
      peer.resume();
      await once(peer, "end");
      expect(received).toBe(total);
      expect(transport.write(Buffer.from("x"))).toBe(false);
      expect(transport.unsentBytes).toBe(1);
    });
  });

  describe("the end", () => {
    it("destroy() closes once, later, without an error, and everything after it is harmless", async () => {
      const [local] = await socketPair();
      const { transport, told } = start(local);
      transport.resume();
      transport.destroy();
      transport.destroy();
      expect(told.log).toEqual([]);
      expect(transport.write(Buffer.from("x"))).toBe(false);
      await told.until(() => told.log.includes("close"));
      transport.write(Buffer.from("x"));
      transport.end();
      transport.pause();
      transport.resume();
      transport.destroy();
      for (let turn = 0; turn < 5; turn++) await nextTask();
      expect(told.log).toEqual(["close"]);
      expect(told.closeError).toBe(null);
      expect(told.accepted).toBe(0);
    });

    it("a reset gives onClose(ECONNRESET)", async () => {
      const [local, peer] = await socketPair();
      const { transport, told } = start(local);
      transport.resume();
      peer.resetAndDestroy();
      await told.until(() => told.log.includes("close"));
      expect(told.closeError).toMatchObject({ code: "ECONNRESET" });
      expect(told.log).toEqual(["close"]);
    });

    it("writing to a peer that is gone gives onClose with EPIPE or ECONNRESET, and nothing throws", async () => {
      const [local, peer] = await socketPair();
      const { transport, told } = start(local);
      peer.resetAndDestroy();
      await once(peer, "close");
      while (!told.log.includes("close")) {
        transport.write(Buffer.alloc(100_000));
        await nextTask();
      }
      expect(["EPIPE", "ECONNRESET"]).toContain((told.closeError as NodeJS.ErrnoException).code);
      expect(told.accepted).toBe(0);
    });

    it("closes in a later task when the stream was destroyed before it was wrapped", async () => {
      const stream = new PassThrough();
      stream.on("error", () => {});
      stream.destroy(new Error("gone"));
      await new Promise((resolve) => stream.once("close", resolve));
      const { transport, told } = start(stream);
      expect(told.log).toEqual([]);
      expect(transport.write(Buffer.from("x"))).toBe(false);
      await told.until(() => told.log.includes("close"));
      expect(told.closeError).toMatchObject({ message: "gone" });
    });

    it("a stream whose write throws is destroyed with that error", async () => {
      const broken = new Duplex({
        read() {},
        write() {
          throw new Error("broken");
        },
      });
      const { transport, told } = start(broken);
      expect(transport.write(Buffer.from("x"))).toBe(false);
      await told.until(() => told.log.includes("close"));
      expect(told.closeError).toMatchObject({ message: "broken" });
    });

    it("a stream that only tells of an error is destroyed: TLS does so with a record that was tampered with", async () => {
      const stream = new PassThrough({ autoDestroy: false });
      const transport = new DuplexTransport(stream);
      const recorder = new Recorder();
      transport.start(recorder);
      const error = new Error("bad record");
      stream.emit("error", error);
      await recorder.until(() => recorder.closeError !== undefined);
      expect(recorder.closeError).toBe(error);
      expect(stream.destroyed).toBe(true);
    });

    it("leaves no listener behind but the one that keeps late errors in", async () => {
      const [local] = await socketPair();
      const before = new Map(local.eventNames().map((name) => [name, local.listenerCount(name)]));
      const { transport, told } = start(local);
      transport.destroy();
      await told.until(() => told.log.includes("close"));
      for (const name of local.eventNames()) {
        expect([name, local.listenerCount(name)]).toEqual([name, (before.get(name) ?? 0) + (name === "error" ? 1 : 0)]);
      }
      local.emit("error", new Error("late"));
      expect(told.closeError).toBe(null);
    });

    it("knows the peer's address, also afterwards once it was asked", async () => {
      const [local] = await socketPair();
      const { transport, told } = start(local);
      expect(transport.remoteAddress).toBe("127.0.0.1");
      transport.destroy();
      await told.until(() => told.log.includes("close"));
      expect(transport.remoteAddress).toBe("127.0.0.1");
      expect(new DuplexTransport(new PassThrough()).remoteAddress).toBe("");
    });

    it("setReferenced() decides whether a socket keeps the process alive", async () => {
      const [local] = await socketPair();
      const { _handle: handle } = local as unknown as { _handle: { hasRef(): boolean } };
      const { transport } = start(local);
      transport.setReferenced(false);
      expect(handle.hasRef()).toBe(false);
      transport.setReferenced(true);
      expect(handle.hasRef()).toBe(true);
      new DuplexTransport(new PassThrough()).setReferenced(false);
    });
  });
});
