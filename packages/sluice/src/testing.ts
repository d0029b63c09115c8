export { decodeFrame, encodeFrame, HostilePeer, type WireFrame, type WireFrameInit } from "./testing/hostile-peer.ts";
export { MemoryTransport, type MemoryTransportOptions } from "./testing/memory-transport.ts";
export { createPair, createStream, type Pair, type PairOptions } from "./testing/pair.ts";
export { VirtualClock } from "./testing/virtual-clock.ts";
