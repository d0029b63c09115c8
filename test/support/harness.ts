import net from "node:net";
import type { ByteTransport } from "../../packages/sluice/src/connection/byte-transport.ts";
import type { Clock } from "../../packages/sluice/src/connection/clock.ts";
import { Connection } from "../../packages/sluice/src/connection/connection.ts";
import { DuplexTransport } from "../../packages/sluice/src/node/duplex-transport.ts";
import { fillRandom } from "../../packages/sluice/src/node/random.ts";
import { realClock } from "../../packages/sluice/src/node/real-clock.ts";
import { Established } from "../../packages/sluice/src/streams/established.ts";
import type { ConnectionLimits } from "../../packages/sluice/src/streams/options.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { MemoryTransport } from "../../packages/sluice/src/testing/memory-transport.ts";
import { VirtualClock } from "../../packages/sluice/src/testing/virtual-clock.ts";

export type Role = "client" | "server";
export type Medium = "memory" | "tcp";

/** One stream, past its handshake, and a scripted peer at the other end of the medium. */
export interface Harness {
  readonly stream: WebSocketStream;
  readonly peer: HostilePeer;
  readonly readable: ReadableStream<string | Uint8Array>;
  readonly writable: WritableStream<string | BufferSource>;
  /** Waits for `promise` while the medium does its work. */
  until<Value>(promise: Promise<Value>): Promise<Value>;
  /** Waits until `isTrue` holds. */
  untilTrue(isTrue: () => boolean): Promise<void>;
  /** Lets `durationMs` pass on a virtual clock; real media wait for it. */
  advance(durationMs: number): Promise<void>;
  /** A connection reset by the peer. */
  reset(): void;
  /** Ends everything. */
  dispose(): Promise<void>;
}

export interface HarnessOptions extends ConnectionLimits {
  readonly role?: Role;
  /** Bytes that fit between the two ends of the memory medium. */
  readonly capacityBytes?: number;
  readonly head?: Uint8Array;
}

export async function createHarness(medium: Medium, options: HarnessOptions = {}): Promise<Harness> {
  return medium === "memory" ? createMemoryHarness(options) : createTcpHarness(options);
}

async function createMemoryHarness(options: HarnessOptions): Promise<Harness> {
  const clock = new VirtualClock();
  const role = options.role ?? "client";
  const [transport, peerTransport] = MemoryTransport.pair(clock, { capacityBytes: options.capacityBytes });
  const stream = establish(transport, clock, role, options);
  const peer = new HostilePeer(peerTransport, role === "client" ? "server" : "client");
  const { readable, writable } = await stream.opened;
  await clock.run();
  return {
    stream,
    peer,
    readable,
    writable,
    async until(promise) {
      await Promise.all([clock.run(), Promise.resolve()]);
      return promise;
    },
    async untilTrue(isTrue) {
      await clock.run();
      if (!isTrue()) throw new Error(`The condition does not hold after the run: ${isTrue}`);
    },
    advance: (durationMs) => clock.advance(durationMs),
    reset: () => peerTransport.reset(),
    dispose: async () => {},
  };
}

async function createTcpHarness(options: HarnessOptions): Promise<Harness> {
  const role = options.role ?? "client";
  const server = net.createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
  const outgoing = net.connect({ port: (server.address() as net.AddressInfo).port, host: "127.0.0.1" });
  const incoming = await accepted;
  const [own, others] = role === "client" ? [outgoing, incoming] : [incoming, outgoing];
  for (const socket of [own, others]) socket.setNoDelay(true);
  const stream = establish(new DuplexTransport(own), realClock, role, options);
  const peer = new HostilePeer(
    new DuplexTransport(others, { readsStatically: false }),
    role === "client" ? "server" : "client",
  );
  const { readable, writable } = await stream.opened;
  return {
    stream,
    peer,
    readable,
    writable,
    until: (promise) => promise,
    async untilTrue(isTrue) {
      while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
    },
    advance: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
    reset: () => others.resetAndDestroy(),
    async dispose() {
      own.destroy();
      others.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function establish(transport: ByteTransport, clock: Clock, role: Role, options: HarnessOptions): WebSocketStream {
  const connection = new Connection(transport, {
    role,
    clock,
    fillRandom,
    sendLimitBytes: options.sendLimitBytes,
    maxMessageBytes: options.maxMessageBytes,
    maxFragments: options.maxFragments,
    closeTimeoutMs: options.closeTimeoutMs,
  });
  const info = { url: "ws://test/", protocol: "", extensions: "", head: options.head, options };
  return new WebSocketStream(new Established(connection, info) as unknown as string);
}

/** How a promise ended: for assertions on outcomes, and so that nothing is left unhandled. */
export type Outcome<Value> = { isFulfilled: true; value: Value } | { isFulfilled: false; reason: unknown };

export function outcomeOf<Value>(promise: Promise<Value>): Promise<Outcome<Value>> {
  return promise.then(
    (value) => ({ isFulfilled: true, value }) as const,
    (reason: unknown) => ({ isFulfilled: false, reason }) as const,
  );
}

/** The reason of a promise that must reject. */
export async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await outcomeOf(promise);
  if (outcome.isFulfilled) throw new Error(`The promise must reject, but it fulfilled with ${String(outcome.value)}`);
  return outcome.reason;
}
