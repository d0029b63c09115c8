// Starts the cases in a JavaScript runtime: `client-javascript.mjs <which> <address> <case> …`
import { runStreamCases } from "./stream-cases.mjs";
import { runCases } from "./w3c-cases.mjs";

const [which, base, ...names] = globalThis.Deno?.args ?? process.argv.slice(2);
const report = (line) => console.log(JSON.stringify(line));

const piece = "0123456789abcdef".repeat(1024);
const clients = {
  global: async () => runCases(globalThis.WebSocket, base, names, report),
  deno: async () =>
    runCases(globalThis.WebSocket, base, names, report, {
      endings: { "ours abrupt, FIN": [0, "", false], "ours abrupt, RST": [0, "", false] },
    }),
  bun: async () =>
    runCases(globalThis.WebSocket, base, names, report, {
      ping: (socket) => socket.ping("are you there"),
      terminate: (socket) => socket.terminate(),
    }),
  denoStream: async () => runStreamCases(globalThis.WebSocketStream, base, names, report, { closedMayReject: true }),
  ws: async () => {
    const { WebSocket } = await import("ws");
    await runCases(WebSocket, base, names, report, {
      ping: (socket) => {
        socket.ping("are you there");
        return new Promise((resolve) => socket.once("pong", resolve));
      },
      fragments(socket) {
        for (let index = 1; index <= 5; index++) socket.send(piece, { fin: index === 5 });
      },
      terminate: (socket) => socket.terminate(),
      reset: (socket) => socket._socket.resetAndDestroy(),
    });
  },
  undici: async () => {
    const { WebSocket } = await import("undici");
    await runCases(WebSocket, base, names, report);
  },
  undiciStream: async () => {
    const { WebSocketStream } = await import("undici");
    await runStreamCases(WebSocketStream, base, names, report);
  },
  websocket: async () => {
    const { default: websocket } = await import("websocket");
    const limitBytes = 64 * 2 ** 20;
    const limits = { maxReceivedFrameSize: limitBytes, maxReceivedMessageSize: limitBytes };
    class Client extends websocket.w3cwebsocket {
      constructor(url) {
        super(url, undefined, undefined, undefined, undefined, limits);
      }
    }
    await runCases(Client, base, names, report, {
      ping: (socket) => {
        socket._connection.ping("are you there");
        return new Promise((resolve) => socket._connection.once("pong", resolve));
      },
      // It splits what is above its threshold, which is 16 KiB.
      fragments: (socket) => socket._connection.sendUTF(piece.repeat(5)),
      endings: {
        "ours with code and reason": [4001, "ours ✓", false],
        "ours without code": [1006, "", false],
        "theirs with code and reason": [4002, "theirs ✓", false],
      },
      terminate: (socket) => socket._connection.socket.destroy(),
      reset: (socket) => socket._connection.socket.resetAndDestroy(),
    });
  },
  faye: async () => {
    const { default: faye } = await import("faye-websocket");
    const wrap = (url) => new faye.Client(url, [], { maxLength: 64 * 2 ** 20 });
    await runCases(
      function Client(url) {
        const socket = wrap(url);
        const send = socket.send.bind(socket);
        // It sends Buffers, not other views.
        socket.send = (data) => send(typeof data === "string" ? data : Buffer.from(data));
        return socket;
      },
      base,
      names,
      report,
      {
        ping: (socket) => new Promise((resolve) => socket.ping("are you there", () => resolve())),
        endings: {
          "ours with code and reason": [4001, "ours ✓", null],
          "ours without code": [1000, "", null],
          "ours abrupt, FIN": [1006, "", null],
          "ours abrupt, RST": [1006, "", null],
          "theirs with code and reason": [4002, "theirs ✓", null],
        },
        terminate: (socket) => socket._stream.destroy(),
        reset: (socket) => socket._stream.resetAndDestroy(),
      },
    );
  },
};

await clients[which]();
// Connections that a failed case left open must not hold the process.
(globalThis.Deno?.exit ?? process.exit)(0);
