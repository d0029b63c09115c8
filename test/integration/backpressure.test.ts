import { createHash } from "node:crypto";
import net from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { Connection } from "../../packages/sluice/src/connection/connection.ts";
import { DuplexTransport } from "../../packages/sluice/src/node/duplex-transport.ts";
import { fillRandom } from "../../packages/sluice/src/node/random.ts";
import { realClock } from "../../packages/sluice/src/node/real-clock.ts";
import { Established } from "../../packages/sluice/src/streams/established.ts";
import type { ConnectionLimits } from "../../packages/sluice/src/streams/options.ts";
import { MessageByteLengthStrategy } from "../../packages/sluice/src/streams/strategies.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { createCertificate } from "../support/certificate.ts";

const MESSAGE_BYTES = 65_536;
/** design.md §1: socket chunk and control reserve. */
const RESERVE_IN = 128 * 1024;
const RESERVE_OUT = 256 * 1024;
const SEND_LIMIT = 64 * 1024;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** Two sockets that talk to each other over loopback; the first is the accepted one. */
async function socketPair(medium: "tcp" | "tls"): Promise<[Duplex, Duplex]> {
  const certificate = medium === "tls" ? await createCertificate() : undefined;
  const server = certificate === undefined ? net.createServer() : tls.createServer(certificate);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const accepted = new Promise<Duplex>((resolve) =>
    server.once(medium === "tls" ? "secureConnection" : "connection", resolve),
  );
  const { port } = server.address() as net.AddressInfo;
  const outgoing: Duplex =
    certificate === undefined
      ? net.connect(port, "127.0.0.1")
      : tls.connect({ port, host: "127.0.0.1", ca: certificate.cert, servername: "localhost" });
  const incoming = await accepted;
  cleanups.push(() => {
    outgoing.destroy();
    incoming.destroy();
    server.close();
  });
  return [incoming, outgoing];
}

function createStream(socket: Duplex, role: "client" | "server", options: ConnectionLimits): WebSocketStream {
  const connection = new Connection(new DuplexTransport(socket), { role, clock: realClock, fillRandom });
  const info = { url: "ws://localhost/", protocol: "", extensions: "", options };
  return new WebSocketStream(new Established(connection, info) as unknown as string);
}

/** Turns of the event loop in which nothing more was sent: the sender stands still. */
const QUIET_TURNS = 300;

describe.each(["tcp", "tls"] as const)("a stopped reader over %s", (medium) => {
  describe.each(["client", "server"] as const)("%s as receiver", (receiverRole) => {
    it.each([
      ["1 message", undefined, MESSAGE_BYTES],
      ["64 KiB", new MessageByteLengthStrategy({ highWaterMark: 65_536 }), 65_536],
      ["1 MiB", new MessageByteLengthStrategy({ highWaterMark: 1_048_576 }), 1_048_576],
    ])("holds its bound at a highWaterMark of %s, and flows again", async (_, readableStrategy, highWaterMark) => {
      const [incoming, outgoing] = await socketPair(medium);
      const isClient = receiverRole === "client";
      const receiver = createStream(isClient ? outgoing : incoming, receiverRole, { readableStrategy });
      const sender = createStream(isClient ? incoming : outgoing, isClient ? "server" : "client", {});
      const { writable } = await sender.opened;
      const { readable } = await receiver.opened;

      const writer = writable.getWriter();
      const sent = createHash("sha256");
      let messagesSent = 0;
      let largestOut = 0;
      let isStopping = false;
      const sending = (async () => {
        while (!isStopping) {
          const message = new Uint8Array(MESSAGE_BYTES).fill(messagesSent);
          sent.update(message);
          messagesSent++;
          await writer.write(message);
          largestOut = Math.max(largestOut, sender.metrics().heldBytesOut);
        }
        await writer.close();
      })();

      let largestIn = 0;
      for (let quiet = 0, before = -1; quiet < QUIET_TURNS; quiet++) {
        await new Promise((resolve) => setImmediate(resolve));
        largestIn = Math.max(largestIn, receiver.metrics().heldBytesIn);
        largestOut = Math.max(largestOut, sender.metrics().heldBytesOut);
        if (messagesSent !== before) quiet = 0;
        before = messagesSent;
      }
      const messagesBeforeReading = messagesSent;
      expect(receiver.metrics().isInputPaused).toBe(true);

      const received = createHash("sha256");
      let messagesReceived = 0;
      for await (const message of readable) {
        received.update(message);
        messagesReceived++;
        largestIn = Math.max(largestIn, receiver.metrics().heldBytesIn);
        if (messagesReceived === messagesBeforeReading + 10) isStopping = true;
      }
      await sending;
      expect(messagesReceived).toBe(messagesSent);
      expect(received.digest("hex")).toBe(sent.digest("hex"));
      expect(largestIn).toBeGreaterThanOrEqual(MESSAGE_BYTES);
      expect(largestIn).toBeLessThanOrEqual(highWaterMark + MESSAGE_BYTES + RESERVE_IN);
      expect(largestOut).toBeLessThanOrEqual(MESSAGE_BYTES + MESSAGE_BYTES + SEND_LIMIT + RESERVE_OUT);
    });
  });
});
