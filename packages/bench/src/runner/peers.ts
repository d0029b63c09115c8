import { createRequire } from "node:module";
import { findRuntime } from "./runtimes.ts";

/** One end of a connection: whose, and where it runs. */
export interface End {
  /** A name of `src/peers`. */
  readonly adapter: string;
  readonly runtime: "node" | "bun" | "deno";
  readonly env?: Readonly<Record<string, string>>;
  /** A package whose version is reported. */
  readonly packages?: readonly string[];
  /** Uses the build that `--base` names instead of the one that is measured. */
  readonly isBase?: boolean;
}

/** What `--peers` names: whose server, whose client. */
export interface Peer {
  readonly name: string;
  readonly title: string;
  readonly server: string;
  readonly client: string;
}

const WITHOUT_BUFFERUTIL = { WS_NO_BUFFER_UTIL: "1" };

/** All ends, by name. */
export const ENDS: Readonly<Record<string, End>> = {
  net: { adapter: "net", runtime: "node" },
  sluice: { adapter: "sluice", runtime: "node" },
  "sluice-pooled": { adapter: "sluice-pooled", runtime: "node" },
  "sluice-facade": { adapter: "sluice-facade", runtime: "node" },
  base: { adapter: "sluice", runtime: "node", isBase: true },
  "base-facade": { adapter: "sluice-facade", runtime: "node", isBase: true },
  ws: { adapter: "ws", runtime: "node", env: WITHOUT_BUFFERUTIL, packages: ["ws"] },
  "ws-bufferutil": { adapter: "ws", runtime: "node", packages: ["ws", "bufferutil"] },
  "ws-cork": { adapter: "ws-cork", runtime: "node", env: WITHOUT_BUFFERUTIL, packages: ["ws"] },
  "ws-stream": { adapter: "ws-stream", runtime: "node", env: WITHOUT_BUFFERUTIL, packages: ["ws"] },
  "undici-stream": { adapter: "undici-stream", runtime: "node", packages: ["undici"] },
  undici: { adapter: "undici", runtime: "node", packages: ["undici"] },
  websocket: { adapter: "websocket", runtime: "node", packages: ["websocket"] },
  "faye-websocket": { adapter: "faye-websocket", runtime: "node", packages: ["faye-websocket"] },
  bun: { adapter: "bun", runtime: "bun" },
  deno: { adapter: "deno", runtime: "deno" },
};

/**
 * All peers, by name. undici has no server: its users have `ws` on the other end. "fed" is the same client with our server,
 * which shows what the client alone allows.
 */
export const PEERS: readonly Peer[] = [
  { name: "net", title: "raw sockets", server: "net", client: "net" },
  { name: "sluice", title: "sluice", server: "sluice", client: "sluice" },
  { name: "sluice-pooled", title: "sluice, pooled chunks", server: "sluice-pooled", client: "sluice-pooled" },
  { name: "sluice-facade", title: "sluice WebSocket", server: "sluice", client: "sluice-facade" },
  { name: "base", title: "sluice, the build of --base", server: "base", client: "base" },
  { name: "base-facade", title: "sluice WebSocket, the build of --base", server: "base", client: "base-facade" },
  { name: "ws", title: "ws", server: "ws", client: "ws" },
  { name: "ws-bufferutil", title: "ws + bufferutil", server: "ws-bufferutil", client: "ws-bufferutil" },
  { name: "ws-cork", title: "ws, corked by hand", server: "ws-cork", client: "ws-cork" },
  { name: "ws-stream", title: "ws createWebSocketStream", server: "ws-stream", client: "ws-stream" },
  { name: "undici-stream", title: "undici WebSocketStream, ws server", server: "ws", client: "undici-stream" },
  { name: "undici-stream-fed", title: "undici WebSocketStream, our server", server: "sluice", client: "undici-stream" },
  { name: "undici", title: "undici WebSocket, ws server", server: "ws", client: "undici" },
  { name: "websocket", title: "websocket", server: "websocket", client: "websocket" },
  { name: "faye-websocket", title: "faye-websocket", server: "faye-websocket", client: "faye-websocket" },
  { name: "bun", title: "Bun", server: "bun", client: "bun" },
  { name: "deno", title: "Deno", server: "deno", client: "deno" },
];

/** Finds a peer by its name, or makes one of `server:client`. @throws {RangeError} if there is no such end */
export function getPeer(name: string): Peer {
  const known = PEERS.find((peer) => peer.name === name);
  if (known !== undefined) return known;
  const [server, client = server] = name.split(":");
  for (const end of [server, client]) {
    if (!(end in ENDS)) throw new RangeError(`There is no peer ${end}; there are ${Object.keys(ENDS).join(", ")}`);
  }
  return { name, title: `${client} to ${server}`, server, client };
}

const require = createRequire(import.meta.url);

/** Versions of an end's packages and runtime. @param node the line of Node for the ends that run on it */
export function describeEnd(name: string, node: string): string {
  const { runtime, packages = [] } = ENDS[name];
  const found = findRuntime(runtime === "node" ? node : runtime);
  if ("problem" in found) return found.problem;
  const versions = packages.map((id) => `${id} ${(require(`${id}/package.json`) as { version: string }).version}`);
  return [...versions, runtime === "node" ? `Node ${found.version}` : found.version].join(", ");
}

/** The command line before the program. @throws if the runtime is not to be had */
export function getCommand(name: string, node: string): string[] {
  const { runtime } = ENDS[name];
  const found = findRuntime(runtime === "node" ? node : runtime);
  if ("problem" in found) throw new Error(found.problem);
  const { command } = found;
  if (runtime === "bun") return [command];
  if (runtime === "deno") return [command, "run", "--allow-all", "--no-check", "--quiet", "--unstable-net"];
  return [command, "--expose-gc", "--no-warnings"];
}
