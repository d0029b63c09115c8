import { Connection, type ConnectionOptions } from "../connection/connection.ts";
import { Established } from "../streams/established.ts";
import type { ConnectionLimits } from "../streams/options.ts";
import { WebSocketStream } from "../streams/websocket-stream.ts";
import { MemoryTransport, type MemoryTransportOptions } from "./memory-transport.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** How a pair is made; `client` and `server` are options of the two streams. */
export interface PairOptions extends MemoryTransportOptions {
  readonly clock?: VirtualClock | undefined;
  readonly client?: ConnectionLimits | undefined;
  readonly server?: ConnectionLimits | undefined;
}

/** Two connected streams in memory, and the clock that drives them. */
export interface Pair {
  readonly clock: VirtualClock;
  readonly client: WebSocketStream;
  readonly server: WebSocketStream;
  readonly clientTransport: MemoryTransport;
  readonly serverTransport: MemoryTransport;
}

/**
 * Makes two WebSocketStreams that talk to each other over memory, past the opening handshake. Nothing moves unless
 * `clock.run()` or `clock.advance()` is awaited.
 *
 * @example
 * ```ts
 * import { createPair } from "sluice/testing";
 *
 * const { clock, client, server } = createPair();
 * const { writable } = await client.opened;
 * const { readable } = await server.opened;
 * const reading = readable.getReader().read();
 * await writable.getWriter().write("hello");
 * await clock.run();
 * console.log((await reading).value); // "hello"
 * ```
 */
export function createPair(options: PairOptions = {}): Pair {
  const clock = options.clock ?? new VirtualClock();
  const [clientTransport, serverTransport] = MemoryTransport.pair(clock, options);
  const client = createStream(clientTransport, { role: "client", clock, options: options.client });
  const server = createStream(serverTransport, { role: "server", clock, options: options.server });
  return { clock, client, server, clientTransport, serverTransport };
}

/** Makes one stream on a memory transport, so that a test can play its peer byte by byte. */
export function createStream(
  transport: MemoryTransport,
  init: { role: "client" | "server"; clock: VirtualClock; options?: ConnectionLimits | undefined; head?: Uint8Array },
): WebSocketStream {
  const { role, clock, options = {}, head } = init;
  const connectionOptions: ConnectionOptions = {
    role,
    clock,
    fillRandom: (target) => crypto.getRandomValues(target as Uint8Array<ArrayBuffer>),
    sendLimitBytes: options.sendLimitBytes,
    maxMessageBytes: options.maxMessageBytes,
    maxFragments: options.maxFragments,
    closeTimeoutMs: options.closeTimeoutMs,
    keepAlive: options.keepAlive,
    idleTimeoutMs: options.idleTimeoutMs,
  };
  const connection = new Connection(transport, connectionOptions);
  const established = new Established(connection, { url: "ws://memory/", protocol: "", extensions: "", head, options });
  return new WebSocketStream(established as unknown as string);
}
