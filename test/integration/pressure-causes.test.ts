// Who holds a connection back: the worked example of docs/observability.md, by real peers over real sockets.
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type StreamMetrics, WebSocketStream } from "../../packages/sluice/src/index.ts";
import {
  type OwnPortOptions,
  type ServerWebSocketStream,
  WebSocketStreamServer,
} from "../../packages/sluice/src/server.ts";
import { createScope } from "../support/scope.ts";
import { SlowLink } from "../support/slow-link.ts";

const use = createScope();
const MESSAGE = new Uint8Array(16_384);

async function connect(options: Partial<OwnPortOptions> & { bytesPerTick?: number } = {}) {
  const { bytesPerTick, ...rest } = options;
  const server = use(new WebSocketStreamServer({ port: 0, host: "127.0.0.1", onError: () => {}, ...rest }));
  let { port } = await server.listening;
  if (bytesPerTick !== undefined) port = use(await SlowLink.create(port, bytesPerTick)).port;
  const client = new WebSocketStream(`ws://127.0.0.1:${port}/`);
  const stream = (await server.connections.getReader().read()).value as ServerWebSocketStream;
  return { server, stream, ofServer: await stream.opened, ofClient: await client.opened };
}

/** Sends as fast as it may. */
async function flood(writable: WritableStream<string | BufferSource>): Promise<void> {
  const writer = writable.getWriter();
  for (;;) await writer.write(MESSAGE);
}

async function until(stream: ServerWebSocketStream, fits: (metrics: StreamMetrics) => boolean): Promise<StreamMetrics> {
  for (;;) {
    const metrics = stream.metrics();
    if (fits(metrics)) return metrics;
    await nextTurn();
  }
}

describe("who holds a connection back", () => {
  it("nobody: neither side waits for room", async () => {
    const { stream, ofServer, ofClient } = await connect();
    const writer = ofClient.writable.getWriter();
    const reader = ofServer.readable.getReader();
    for (let count = 0; count < 50; count++) {
      await writer.write("tick");
      await reader.read();
    }
    expect(stream.metrics()).toMatchObject({ messagesReceived: 50, isInputPaused: false, outputPeerMs: 0 });
  });

  it("the application: it reads nothing, and input is paused", async () => {
    const { stream, ofClient } = await connect();
    flood(ofClient.writable).catch(() => {});
    const metrics = await until(stream, ({ inputPausedMs }) => inputPausedMs >= 200);
    expect(metrics).toMatchObject({ isInputPaused: true, outputNetworkMs: 0, outputPeerMs: 0 });
    expect(metrics.heldBytesIn).toBeLessThan(200_000);
  });

  it("the peer: it reads nothing, and after a second without a byte the time is its own", async () => {
    const { stream, ofServer } = await connect();
    flood(ofServer.writable).catch(() => {});
    const metrics = await until(stream, ({ outputPeerMs }) => outputPeerMs >= 200);
    expect(metrics).toMatchObject({ isInputPaused: false, inputPausedMs: 0 });
    expect(metrics.heldBytesOut).toBeLessThan(400_000);
  });

  it("the network: bytes flow, only not as fast as they are written", async () => {
    const { stream, ofServer, ofClient } = await connect({ bytesPerTick: 20_000 });
    flood(ofServer.writable).catch(() => {});
    ofClient.readable.pipeTo(new WritableStream()).catch(() => {});
    const metrics = await until(stream, ({ outputNetworkMs }) => outputNetworkMs >= 2_000);
    expect(metrics.outputNetworkMs).toBeGreaterThan(metrics.outputPeerMs);
    expect(metrics.inputPausedMs).toBe(0);
  });
});
