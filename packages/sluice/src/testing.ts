export { connectHostile, type HostileClientOptions } from "./testing/hostile-client.ts";
export { HostilePeer, type HostileTransport } from "./testing/hostile-peer.ts";
export { HostileServer, type HostileServerOptions } from "./testing/hostile-server.ts";
export { MemoryTransport, type MemoryTransportOptions } from "./testing/memory-transport.ts";
export { createPair, createStream, type Pair, type PairOptions } from "./testing/pair.ts";
export { VirtualClock } from "./testing/virtual-clock.ts";
export { decodeFrame, encodeFrame, type WireFrame, type WireFrameInit } from "./testing/wire-frame.ts";
