import { pathToFileURL } from "node:url";
import type { Adapter, Channel, ConnectionSetup } from "../agent/channel.ts";
import type { Message } from "../agent/payloads.ts";
import { createStreamChannel } from "./stream-channel.ts";

/** The parts of the library that are used here: its entry and its server entry, as built. */
type Sluice = typeof import("sluice");
type SluiceServer = typeof import("sluice/server");
type Stream = InstanceType<Sluice["WebSocketStream"]>;
type ServerStream = import("sluice/server").ServerWebSocketStream;

const loaded = new Map<string, Promise<unknown>>();

/** Loads an entry of the build that is measured: a copy, so that a build in the meantime does not change it. */
export function loadSluice<Entry>(setup: ConnectionSetup, entry: "index" | "server"): Promise<Entry> {
  let module = loaded.get(entry);
  if (module === undefined) {
    module = import(pathToFileURL(`${setup.sluice}/${entry}.js`).href);
    loaded.set(entry, module);
  }
  return module as Promise<Entry>;
}

/** Context takeover both ways is what both ends do unless told otherwise; no threshold. */
const DEFLATE = { thresholdBytes: 0 };

/** What the variants of this adapter add to the options of each connection. */
export interface SluiceVariant {
  readonly chunkBuffers?: "pooled";
}

/** Our stream pair on both ends. */
export function createSluiceAdapter(variant: SluiceVariant = {}): Required<Adapter> {
  return {
    takesBuffers: false,
    async listen(setup, onChannel) {
      const { broadcast, serve } = await loadSluice<SluiceServer>(setup, "server");
      const server = await serve(
        {
          port: 0,
          host: "127.0.0.1",
          perMessageDeflate: setup.deflate === true ? DEFLATE : false,
          tls: setup.tls,
          ...variant,
        },
        async (stream) => onChannel(await toChannel(stream)),
      );
      const { port } = await server.listening;
      return {
        port,
        async broadcast(message, channels) {
          const streams = (channels as SluiceChannel[]).map(({ stream }) => stream as ServerStream);
          const { missed } = await broadcast(streams, message as string | Uint8Array<ArrayBuffer>);
          if (missed.length > 0) throw new Error(`A broadcast missed ${missed.length} receivers`);
        },
      };
    },
    async connect(url, setup) {
      const { WebSocketStream } = await loadSluice<Sluice>(setup, "index");
      return toChannel(
        new WebSocketStream(url, {
          perMessageDeflate: setup.deflate === true ? DEFLATE : false,
          ...(setup.tls && { tls: { ca: setup.tls.cert } }),
          ...variant,
        }),
      );
    },
  };
}

/** Nothing is kept for a connection but the connection. */
interface SluiceChannel extends Channel {
  readonly stream: Stream;
}

async function toChannel(stream: Stream): Promise<SluiceChannel> {
  const { readable, writable } = await stream.opened;
  const channel = createStreamChannel({
    readable: readable as ReadableStream<Message>,
    writable: writable as WritableStream<Message>,
    close: () => stream.close(),
    heldBytes() {
      const { heldBytesIn, heldBytesOut } = stream.metrics();
      return { in: heldBytesIn, out: heldBytesOut };
    },
  });
  return Object.assign(channel, { stream });
}

export default createSluiceAdapter();
