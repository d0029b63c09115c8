import type { ConnectionSetup } from "../agent/channel.ts";
import { AgentProcess } from "./agent-process.ts";
import { ENDS, getCommand, type Peer } from "./peers.ts";

/** What is the same for all pairs of a run. */
export interface Surroundings {
  /** The line of Node for the ends that run on it, or "node" for the one that runs this. */
  readonly node: string;
  /** Folder of the built library. */
  readonly sluice: string;
  /** Folder of another build to compare with, if there is one. */
  readonly base?: string | undefined;
  readonly tls: { readonly key: string; readonly cert: string };
  /** Prefix of the paths of profiles, if any are wanted. */
  readonly profilePrefix?: string | undefined;
}

/** A server and a client process, connected or to be connected. */
export class Pair {
  readonly peer: Peer;
  readonly server: AgentProcess;
  readonly client: AgentProcess;
  /** The client's half of what both ends agree on. */
  readonly setup: ConnectionSetup;
  readonly url: string;

  private constructor(
    peer: Peer,
    processes: { server: AgentProcess; client: AgentProcess },
    setup: ConnectionSetup,
    port: number,
  ) {
    this.peer = peer;
    this.server = processes.server;
    this.client = processes.client;
    this.setup = setup;
    this.url = `${setup.tls === undefined ? "ws" : "wss"}://127.0.0.1:${port}/`;
  }

  /** Starts both processes, and the server in its. @throws if one does not start */
  static async start(
    peer: Peer,
    surroundings: Surroundings,
    options: { bytes: number; isEncrypted: boolean; isDeflated: boolean },
  ): Promise<Pair> {
    const { node, profilePrefix } = surroundings;
    const createSetup = (end: string): ConnectionSetup => ({
      sluice: ENDS[end].isBase === true ? (surroundings.base ?? surroundings.sluice) : surroundings.sluice,
      bytes: options.bytes,
      tls: options.isEncrypted ? surroundings.tls : undefined,
      deflate: options.isDeflated,
    });
    const start = (end: string, role: string) =>
      AgentProcess.start({
        command: getCommand(end, node),
        env: ENDS[end].env,
        peer: ENDS[end].adapter,
        profilePath:
          profilePrefix && ENDS[end].runtime === "node"
            ? `${profilePrefix}-${peer.name}-${role}.cpuprofile`
            : undefined,
      });
    const [server, client] = await Promise.allSettled([start(peer.server, "server"), start(peer.client, "client")]);
    const stop = () => {
      for (const outcome of [server, client]) if (outcome.status === "fulfilled") outcome.value.stop();
    };
    try {
      if (server.status === "rejected") throw server.reason;
      if (client.status === "rejected") throw client.reason;
      const { port } = await server.value.ask("listen", createSetup(peer.server));
      return new Pair(peer, { server: server.value, client: client.value }, createSetup(peer.client), port);
    } catch (error) {
      stop();
      throw error;
    }
  }

  /** Opens connections. @returns when the server has them too */
  async connect(count: number, already = 0): Promise<void> {
    const { url, setup } = this;
    await this.client.ask("connect", { url, setup, count, concurrency: 32 });
    await this.server.ask("accepted", count + already);
  }

  stop(): void {
    this.server.stop();
    this.client.stop();
  }
}
