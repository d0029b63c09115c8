import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WebSocketStream } from "sluice";
import { type EchoChannel, openByteStream, openMqtt, openNats, openPlain } from "./echo-channel.ts";
import { findFreePort, PeerProcess } from "./peer-process.ts";
import { npmVersion, peerScript, programs, programVersion, pythonVersion } from "./versions.ts";

/**
 * What an echo server does when it gets one of these texts:
 *
 * - `/close 4001 bye`: closes with this code and reason; `/close`: closes without, or with the code that it cannot leave out
 * - `/ping`: sends a Ping with a payload
 * - `/fragments n`: sends one text message in n fragments of 16 KiB
 * - `/terminate`: ends the socket without a Close; `/reset`: resets it
 */
export type Command = "close" | "ping" | "fragments" | "terminate" | "reset";

/** A server that others made, and what can be asked of it. */
export interface ServerPeer {
  readonly name: string;
  readonly version: string;
  readonly commands: readonly Command[];
  /** Whether it negotiates permessage-deflate. */
  readonly deflate: boolean;
  /** What it carries. "bytes" have no boundaries: nothing empty can come back. */
  readonly carries: readonly ("text" | "binary" | "bytes")[];
  /** Largest message, where more would take minutes. @defaultValue all sizes */
  readonly maxBytes?: number;
  /** Against RFC 7692 §7.1.1.1 it accepts an offer with server_no_context_takeover without saying so. */
  readonly ignoresNoContextTakeover?: true;
  /** Against RFC 6455 §7.4.1 it answers a Close without a code with one that carries 1005. */
  readonly answersWith1005?: true;
  readonly protocols?: readonly string[];
  readonly open: (stream: WebSocketStream) => Promise<EchoChannel>;
  readonly start: () => Promise<RunningPeer>;
}

export interface RunningPeer {
  readonly process: PeerProcess;
  readonly port: number;
  stop(): Promise<void>;
}

const all = ["close", "ping", "fragments", "terminate", "reset"] as const;
const plain = { carries: ["text", "binary"], open: openPlain } as const;

/** Every peer that is a server. */
export const serverPeers: readonly ServerPeer[] = [
  {
    name: "ws",
    version: npmVersion("ws"),
    commands: all,
    deflate: true,
    ...plain,
    start: ownScript("node", "server-ws.mjs"),
  },
  {
    name: "websocket",
    version: npmVersion("websocket"),
    commands: all,
    deflate: false,
    ...plain,
    start: ownScript("node", "server-websocket.mjs"),
  },
  {
    name: "faye-websocket",
    version: npmVersion("faye-websocket"),
    commands: ["close", "ping", "terminate", "reset"],
    deflate: false,
    ...plain,
    start: ownScript("node", "server-faye.mjs"),
  },
  {
    name: "Bun",
    version: programVersion(programs.bun, "--version"),
    commands: ["close", "ping", "terminate"],
    deflate: true,
    ...plain,
    start: ownScript("bun", "server-bun.mjs"),
  },
  {
    name: "Deno",
    version: programVersion(programs.deno, "--version"),
    commands: ["close"],
    deflate: false,
    ...plain,
    start: ownScript("deno", "run", "--no-config", "--allow-net", "server-deno.mjs"),
  },
  {
    name: "python3-websockets",
    version: pythonVersion("websockets"),
    commands: all,
    deflate: true,
    ...plain,
    start: ownScript("python", "server_websockets.py"),
  },
  {
    name: "python3-aiohttp",
    version: pythonVersion("aiohttp"),
    commands: ["close", "ping", "terminate", "reset"],
    deflate: true,
    ...plain,
    start: ownScript("python", "server_aiohttp.py"),
  },
  {
    name: "python3-tornado",
    version: pythonVersion("tornado"),
    commands: ["close", "ping", "terminate", "reset"],
    deflate: true,
    ignoresNoContextTakeover: true,
    ...plain,
    start: ownScript("python", "server_tornado.py"),
  },
  {
    name: "websocketd, lines",
    version: programVersion("/usr/bin/websocketd", "--version"),
    commands: [],
    deflate: false,
    carries: ["text"],
    open: openPlain,
    start: () => startOnPort((port) => ["/usr/bin/websocketd", "--address=127.0.0.1", `--port=${port}`, "cat"]),
  },
  {
    name: "websocketd, binary",
    version: programVersion("/usr/bin/websocketd", "--version"),
    commands: [],
    deflate: false,
    carries: ["bytes"],
    open: openByteStream,
    start: () =>
      startOnPort((port) => ["/usr/bin/websocketd", "--binary", "--address=127.0.0.1", `--port=${port}`, "cat"]),
  },
  {
    name: "mosquitto",
    version: programVersion("/usr/sbin/mosquitto", "-h"),
    commands: [],
    deflate: false,
    // It reads 4 KiB of a connection ten times a second.
    maxBytes: 2 ** 17,
    carries: ["binary"],
    protocols: ["mqtt"],
    open: openMqtt,
    start: () =>
      startWithConfig("mosquitto.conf", (port, folder) => ({
        config: [
          // It does not start when it listens for WebSockets only.
          `listener 0 ${folder}/mosquitto.sock`,
          `listener ${port} 127.0.0.1`,
          "protocol websockets",
          "allow_anonymous true",
          "persistence false",
          "user root",
          "",
        ].join("\n"),
        command: (path) => ["/usr/sbin/mosquitto", "-c", path],
      })),
  },
  {
    name: "nats-server",
    version: programVersion("/usr/sbin/nats-server", "--version"),
    commands: [],
    deflate: true,
    answersWith1005: true,
    carries: ["binary"],
    open: openNats,
    start: () =>
      startWithConfig("nats.conf", (port) => ({
        config: [
          'listen: "127.0.0.1:-1"',
          "max_payload: 33554432",
          "max_pending: 134217728",
          `websocket { listen: "127.0.0.1:${port}", no_tls: true, compression: true }`,
        ].join("\n"),
        command: (path) => ["/usr/sbin/nats-server", "-c", path],
      })),
  },
];

/** A script of ours in peers/, which prints the port that it got. */
function ownScript(program: keyof typeof programs, ...args: readonly string[]): () => Promise<RunningPeer> {
  return async () => {
    const process = new PeerProcess(programs[program], [...args.slice(0, -1), peerScript(args.at(-1) ?? "")]);
    const [, port] = await process.match(/LISTENING (\d+)/);
    return { process, port: Number(port), stop: () => process.stop() };
  };
}

/** A program that must be told its port. */
async function startOnPort(createCommand: (port: number) => readonly string[]): Promise<RunningPeer> {
  const port = await findFreePort();
  const [command, ...args] = createCommand(port);
  const process = new PeerProcess(command, args);
  await process.listens(port);
  // websocketd starts one program for each connection; ended politely it ends those too.
  return { process, port, stop: () => process.stop("SIGTERM") };
}

async function startWithConfig(
  name: string,
  create: (port: number, folder: string) => { config: string; command: (path: string) => readonly string[] },
): Promise<RunningPeer> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-interop-"));
  const running = await startOnPort((port) => {
    const { config, command } = create(port, folder);
    const path = join(folder, name);
    writeFileSync(path, config);
    return command(path);
  });
  return {
    ...running,
    async stop() {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
