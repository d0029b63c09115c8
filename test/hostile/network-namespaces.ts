import { spawnSync } from "node:child_process";

/** Two network namespaces with a cable between them. */
export interface NetworkPair {
  /** Address and command prefix of each: `[...prefix, "node", "x.mjs"]` runs inside. */
  readonly near: { readonly address: string; readonly prefix: readonly string[] };
  readonly far: { readonly address: string; readonly prefix: readonly string[] };
  /** The far machine loses its cable: nothing arrives any more in either direction, and nobody is told. */
  cut(): void;
  remove(): void;
}

/** Runs `ip` with these arguments. @returns null, or why that failed */
function ip(command: string): string | null {
  const { status, stderr, error } = spawnSync("ip", command.split(" "), { encoding: "utf8" });
  return status === 0 ? null : `"ip ${command}" failed: ${error?.message ?? stderr.trim()}`;
}

/**
 * Makes a pair of namespaces joined by veth devices, with iproute2.
 *
 * @returns the pair; or why there is none: another system than Linux, no `ip`, or no right to it, as in most containers
 */
export function createNetworkPair(): NetworkPair | string {
  if (process.platform !== "linux") return `there are no network namespaces on ${process.platform}`;
  const [near, far] = [`sluice-${process.pid}-a`, `sluice-${process.pid}-b`];
  const remove = (): void => {
    ip(`netns del ${near}`);
    ip(`netns del ${far}`);
  };
  const commands = [
    `netns add ${near}`,
    `netns add ${far}`,
    `link add near netns ${near} type veth peer name far netns ${far}`,
    `-n ${near} addr add 10.77.0.1/24 dev near`,
    `-n ${far} addr add 10.77.0.2/24 dev far`,
    `-n ${near} link set near up`,
    `-n ${far} link set far up`,
    `netns exec ${near} true`,
  ];
  for (const command of commands) {
    const problem = ip(command);
    if (problem === null) continue;
    remove();
    return problem;
  }
  return {
    near: { address: "10.77.0.1", prefix: ["ip", "netns", "exec", near] },
    far: { address: "10.77.0.2", prefix: ["ip", "netns", "exec", far] },
    cut: () => void ip(`-n ${far} link set far down`),
    remove,
  };
}
