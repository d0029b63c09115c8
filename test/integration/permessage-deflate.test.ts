import { createHash } from "node:crypto";
import net from "node:net";
import zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer, type PerMessageDeflateOptions as WsOptions } from "ws";
import type { PerMessageDeflateOptions } from "../../packages/sluice/src/protocol/permessage-deflate/negotiate.ts";
import { serve } from "../../packages/sluice/src/server.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { listen } from "../support/listen.ts";
import { createScope } from "../support/scope.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const use = createScope();

/** What the client offers, what the server wants, and what both then say that they do. */
const MODES: readonly (readonly [name: string, ours: PerMessageDeflateOptions, theirs: WsOptions])[] = [
  ["with context takeover both ways", {}, {}],
  ["without context takeover", noTakeover(), noTakeover()],
  ["without context takeover of the server", { serverNoContextTakeover: true }, { serverNoContextTakeover: true }],
  ["without context takeover of the client", { clientNoContextTakeover: true }, { clientNoContextTakeover: true }],
  [
    "with windows of 9 bits",
    { serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
    { serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
  ],
  [
    "with windows of 10 and 12 bits",
    { serverMaxWindowBits: 10, clientMaxWindowBits: 12 },
    { serverMaxWindowBits: 10, clientMaxWindowBits: 12 },
  ],
  [
    "with small windows and no context takeover",
    { ...noTakeover(), serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
    { ...noTakeover(), serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
  ],
];

function noTakeover(): { serverNoContextTakeover: true; clientNoContextTakeover: true } {
  return { serverNoContextTakeover: true, clientNoContextTakeover: true };
}

/** Sizes at which something changes: empty, thresholds, the window, what is left to threads, several frames. */
const LENGTHS = [0, 1, 63, 64, 125, 126, 1_023, 1_024, 32_768, 65_535, 65_536, 65_537, 200_000, 1_048_576];

const MESSAGES: readonly (string | Uint8Array<ArrayBuffer>)[] = LENGTHS.flatMap((length, index) => [
  text(length, index),
  text(length, index), // Again: refers to the one before where the context is kept.
  noise(length, index),
]);

function text(length: number, seed: number): string {
  let line = "";
  for (let i = 0; line.length < length; i++)
    line += `{"id":${i * (seed + 3)},"name":"sensor-${i % 17}","ok":${i % 3 === 0}}\n`;
  return line.slice(0, length);
}

function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed + 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}

/** For comparisons that print a line instead of a MiB. */
function digest(message: string | Uint8Array): string {
  const kind = typeof message === "string" ? "text" : "binary";
  return `${kind} ${message.length} ${createHash("sha1").update(message).digest("hex")}`;
}

const EXPECTED = MESSAGES.map(digest);

/** Sends all messages and reads as many answers. */
async function exchange({ readable, writable }: Awaited<WebSocketStream["opened"]>): Promise<string[]> {
  const writer = writable.getWriter();
  const sending = (async () => {
    for (const message of MESSAGES) await writer.write(message);
  })();
  const reader = readable.getReader();
  const received: string[] = [];
  while (received.length < MESSAGES.length) {
    const { value, done } = await reader.read();
    if (done) break;
    received.push(digest(value));
  }
  await sending;
  return received;
}

describe.each(MODES)("permessage-deflate %s", (_, ours, theirs) => {
  it("our client and ws's server carry every message both ways", async () => {
    const options = { ...theirs, threshold: 0 };
    const server = use(new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: options, maxPayload: 0 }));
    server.on("connection", (socket) => {
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as net.AddressInfo;
    const client = new WebSocketStream(`ws://127.0.0.1:${port}/`, {
      perMessageDeflate: { ...ours, thresholdBytes: 0 },
    });
    const opened = await client.opened;
    expect(opened.extensions).toMatch(/^permessage-deflate/);
    expect(await exchange(opened)).toEqual(EXPECTED);
    client.close();
    await client.closed;
  });

  it("ws's client and our server carry every message both ways", async () => {
    const server = use(
      await serve({ port: 0, host: "127.0.0.1", perMessageDeflate: { ...ours, thresholdBytes: 0 } }, async (stream) => {
        const { readable, writable } = await stream.opened;
        await readable.pipeTo(writable);
      }),
    );
    const client = new WebSocket((await server.listening).url, { perMessageDeflate: { ...theirs, threshold: 0 } });
    const received: string[] = [];
    const done = withResolvers<void>();
    client.on("error", done.reject);
    client.on("message", (data, isBinary) => {
      received.push(digest(isBinary ? (data as Buffer) : data.toString()));
      if (received.length === MESSAGES.length) done.resolve();
    });
    await new Promise((resolve) => client.once("open", resolve));
    expect(client.extensions).toMatch(/^permessage-deflate/);
    for (const message of MESSAGES) client.send(message);
    await done.promise;
    expect(received).toEqual(EXPECTED);
    client.close(1000);
    await new Promise((resolve) => client.once("close", resolve));
  });

  it("our client and our server carry every message both ways", async () => {
    const perMessageDeflate = { ...ours, thresholdBytes: 0 };
    const server = use(
      await serve({ port: 0, host: "127.0.0.1", perMessageDeflate }, async (stream) => {
        const { readable, writable } = await stream.opened;
        await readable.pipeTo(writable);
      }),
    );
    const client = new WebSocketStream((await server.listening).url, { perMessageDeflate });
    const opened = await client.opened;
    expect(opened.extensions).toMatch(/^permessage-deflate/);
    expect(await exchange(opened)).toEqual(EXPECTED);
    client.close();
    await client.closed;
  });
});

describe("permessage-deflate against a hostile server", () => {
  /** Accepts one client, with the extension, and sends it these bytes. */
  async function connectTo(bytes: Uint8Array, maxMessageBytes?: number): Promise<WebSocketStream> {
    const server = use(net.createServer());
    server.on("connection", (socket) => {
      socket.on("error", () => {}); // The client may reset what it has given up.
      socket.once("data", (request) => {
        const key = /sec-websocket-key: (.*)\r\n/i.exec(request.toString())?.[1];
        const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n` +
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        );
        socket.write(bytes);
      });
    });
    return new WebSocketStream(`ws://127.0.0.1:${await listen(server)}/`, { maxMessageBytes });
  }

  const closedWith = async (stream: WebSocketStream): Promise<unknown> => {
    const { readable } = await stream.opened;
    const reader = readable.getReader();
    try {
      for (;;) if ((await reader.read()).done) return "done";
    } catch (error) {
      return error;
    } finally {
      stream.closed.catch(() => {}); // The same error, as the other tests show.
    }
  };

  it("corrupt data is 1007, and the error says why", async () => {
    const error = await closedWith(await connectTo(Uint8Array.of(0xc2, 3, 0x07, 0xff, 0xff)));
    expect(error).toMatchObject({ name: "WebSocketError", cause: { closeCode: 1007, section: "RFC 7692 §7.2.2" } });
  });

  it("a bomb is 1009, and the error names the limit", async () => {
    const bomb = zlib
      .deflateRawSync(Buffer.alloc(50 * 2 ** 20), { finishFlush: zlib.constants.Z_SYNC_FLUSH })
      .subarray(0, -4);
    const header = Buffer.from([0xc2, 126, bomb.length >> 8, bomb.length & 0xff]);
    const error = await closedWith(await connectTo(Buffer.concat([header, bomb]), 2 ** 20));
    expect(error).toMatchObject({ name: "WebSocketError", cause: { closeCode: 1009, limit: "maxMessageBytes" } });
  });
});
