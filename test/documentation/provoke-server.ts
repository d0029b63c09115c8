import { createServer } from "node:http";
import {
  type NoServerOptions,
  type ServerWebSocketStream,
  WebSocketStreamServer,
} from "../../packages/sluice/src/server.ts";
import { encodeFrame } from "../../packages/sluice/src/testing/wire-frame.ts";
import { listen } from "../support/listen.ts";
import { createRequest, RawClient, type RawResponse, type RequestInit } from "../support/raw-http.ts";
import { createScope } from "../support/scope.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const use = createScope();

/** What the client was answered, and what the caller of `handleUpgrade` was told. */
interface ServerFailure {
  readonly response: RawResponse | null;
  readonly body: string;
  readonly error: unknown;
}

/** A server whose every refusal is caught. */
async function startServer(options: Omit<NoServerOptions, "noServer">) {
  const server = use(new WebSocketStreamServer({ noServer: true, onError: () => {}, ...options }));
  const http = use(createServer());
  const errors: unknown[] = [];
  const streams: ServerWebSocketStream[] = [];
  let wake: () => void = () => {};
  http.on("upgrade", (request, socket, head) => {
    server
      .handleUpgrade(request, socket, head)
      .then(
        (stream) => streams.push(stream),
        (error: unknown) => errors.push(error),
      )
      .then(() => wake());
  });
  const port = await listen(http);
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        setImmediate(resolve);
      });
    }
  };
  const ask = async (init: RequestInit = {}): Promise<RawClient> => use(await RawClient.upgrade(port, init));
  return { server, errors, streams, until, ask };
}

type TestServer = Awaited<ReturnType<typeof startServer>>;

/** The refusal of a request, after `prepare` has brought the server into the state for it. */
const refusal =
  (
    options: Omit<NoServerOptions, "noServer">,
    init: RequestInit = {},
    prepare: (server: TestServer) => Promise<void> | void = () => {},
  ): (() => Promise<ServerFailure>) =>
  async () => {
    const server = await startServer(options);
    await prepare(server);
    const client = await server.ask(init);
    const answer = await client.response();
    const body = (await client.rest()).toString();
    await server.until(() => server.errors.length > 0);
    return { response: answer, body, error: server.errors[0] };
  };

/** What a server with a port of its own answers to this text. */
const answer =
  (text: string, options: { path?: string; maxHeaderBytes?: number; handshakeTimeoutMs?: number } = {}) =>
  async (): Promise<ServerFailure> => {
    const server = use(new WebSocketStreamServer({ port: 0, host: "127.0.0.1", ...options }));
    const client = use(await RawClient.connect((await server.listening).port));
    client.send(text);
    const given = await client.response();
    return { response: given, body: (await client.rest()).toString(), error: "nobody is told" };
  };

/** A hook that never answers, and a promise for when it is asked. */
function createPendingHook() {
  const asked = withResolvers<void>();
  const upgrade = (): Promise<never> => {
    asked.resolve();
    return new Promise(() => {});
  };
  return { upgrade, asked: asked.promise };
}

const connectOne = async (server: TestServer): Promise<void> => {
  await (await server.ask()).response();
};

/** How each refusal of a server comes about, by its code and text. */
export const SERVER_FAILURES: Readonly<Record<string, () => Promise<ServerFailure>>> = {
  "ERR_SLUICE_UPGRADE_REFUSED This is not a well-formed HTTP/1.1 request": answer("oops\r\n\r\n"),
  "ERR_SLUICE_UPGRADE_REFUSED …": refusal({}, { fields: { "Sec-WebSocket-Key": null } }),
  "ERR_SLUICE_UPGRADE_REFUSED Pages of this origin may not connect": refusal(
    {},
    { fields: { Origin: "https://evil.example" } },
  ),
  "ERR_SLUICE_UPGRADE_REFUSED There is no WebSocket at this path": answer(createRequest(), { path: "/elsewhere" }),
  "ERR_SLUICE_UPGRADE_REFUSED The method must be GET": refusal({}, { line: "POST / HTTP/1.1" }),
  "ERR_SLUICE_UPGRADE_REFUSED The request did not arrive in time (handshakeTimeoutMs)": answer("GET / HTTP/1.1\r\n", {
    handshakeTimeoutMs: 50,
  }),
  "ERR_SLUICE_UPGRADE_REFUSED Sec-WebSocket-Version must be 13": refusal(
    {},
    { fields: { "Sec-WebSocket-Version": "8" } },
  ),
  "ERR_SLUICE_UPGRADE_REFUSED Your address has as many connections as it may have (maxConnectionsPerAddress)": refusal(
    { maxConnectionsPerAddress: 1 },
    {},
    connectOne,
  ),
  "ERR_SLUICE_UPGRADE_REFUSED The request head is too large (maxHeaderBytes)": answer(
    createRequest({ fields: { "X-Own": "x".repeat(2_000) } }),
    { maxHeaderBytes: 1_024 },
  ),
  "ERR_SLUICE_UPGRADE_REFUSED The request has more header fields than it may have (maxHeaderCount)": refusal(
    { maxHeaderCount: 10 },
    { fields: { a: ["1", "2", "3", "4", "5", "6"] } },
  ),
  "ERR_SLUICE_UPGRADE_REFUSED The server failed to handle this request": refusal({
    upgrade: () => {
      throw new Error("a fault of the hook");
    },
  }),
  "ERR_SLUICE_UPGRADE_REFUSED The server has as many connections as it may have (maxConnections)": refusal(
    { maxConnections: 1 },
    {},
    connectOne,
  ),
  "ERR_SLUICE_UPGRADE_REFUSED The server has as many handshakes to answer as it may have (maxPendingHandshakes)":
    () => {
      const { upgrade, asked } = createPendingHook();
      return refusal({ maxPendingHandshakes: 1, upgrade }, {}, async (server) => {
        await server.ask();
        await asked;
      })();
    },
  "ERR_SLUICE_UPGRADE_REFUSED The server is too busy to answer this handshake in time (handshakeTimeoutMs)": () =>
    refusal({ handshakeTimeoutMs: 20, upgrade: createPendingHook().upgrade })(),
  "ERR_SLUICE_UPGRADE_REFUSED The server's connections hold as much memory as they may (memoryBudgetBytes)": refusal(
    { memoryBudgetBytes: 1_048_576 },
    {},
    async (server) => {
      // Each holds too little to be worth ending; all together hold 3,424 bytes too much.
      const message = encodeFrame({ opcode: 2, payload: new Uint8Array(4_000) }, true);
      for (let count = 0; count < 263; count++) {
        const client = await server.ask();
        await client.response();
        client.send(message);
      }
      await server.until(() => server.streams.filter((stream) => stream.metrics().heldBytesIn >= 4_000).length === 263);
    },
  ),
  "ERR_SLUICE_UPGRADE_REFUSED The server takes no new connections": refusal({}, {}, ({ server }) => server.drain()),
  "ERR_SLUICE_UPGRADE_REFUSED the Response's": refusal({ upgrade: () => new Response("no", { status: 418 }) }),
  "ERR_SLUICE_HANDSHAKE_LOST –": async () => {
    const { upgrade, asked } = createPendingHook();
    const server = await startServer({ upgrade });
    const client = await server.ask();
    await asked;
    client.destroy();
    await server.until(() => server.errors.length > 0);
    return { response: null, body: "", error: server.errors[0] };
  },
};
