import net from "node:net";
import { expect, it } from "vitest";
import { serve } from "../../packages/sluice/src/server.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { createCertificate } from "../support/certificate.ts";
import { listen } from "../support/listen.ts";
import { createScope } from "../support/scope.ts";

const use = createScope();

const ALERT = 21;
const APPLICATION_DATA = 23;

/** The content types of the records in these bytes. TLS 1.2 encrypts a record's content, and leaves its header readable. */
function recordTypes(bytes: Buffer): number[] {
  const types: number[] = [];
  for (let start = 0; start < bytes.length; start += 5 + bytes.readUInt16BE(start + 3)) {
    types.push(bytes.readUInt8(start));
  }
  return types;
}

/** What one side sent, in its order, once it has ended with FIN; rejects if it ended otherwise. */
function carry(from: net.Socket, to: net.Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    from.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      to.write(chunk);
    });
    from.on("error", reject);
    from.on("end", () => {
      to.end();
      resolve(Buffer.concat(chunks));
    });
  });
}

it.each(["server", "client"])(
  "T04: over TLS both sides end with one close_notify and FIN; the %s closes",
  async (closer) => {
    const { key, cert } = await createCertificate();
    const server = use(
      await serve({ port: 0, host: "127.0.0.1", tls: { key, cert } }, async (stream) => {
        await stream.opened;
        if (closer === "server") stream.close();
        await stream.closed;
      }),
    );
    const { port } = await server.listening;
    const sent: Promise<Buffer>[] = [];
    const tap = use(
      net.createServer({ allowHalfOpen: true }, (near) => {
        const far = use(net.connect({ port, host: "127.0.0.1", allowHalfOpen: true }));
        sent.push(carry(near, far), carry(far, near));
      }),
    );
    const stream = new WebSocketStream(`wss://127.0.0.1:${await listen(tap)}/`, {
      tls: { ca: cert, maxVersion: "TLSv1.2" },
    });
    await stream.opened;
    if (closer === "client") stream.close();
    await stream.closed;
    for (const bytes of await Promise.all(sent)) {
      const types = recordTypes(bytes);
      expect(types.filter((type) => type === ALERT)).toHaveLength(1);
      expect(types.slice(-2)).toEqual([APPLICATION_DATA, ALERT]);
    }
  },
);
