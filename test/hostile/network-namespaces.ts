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

const ip = (command: string): boolean => spawnSync("ip", command.split(" "), { stdio: "ignore" }).status === 0;

/**
 * Makes a pair of namespaces joined by veth devices, with iproute2. Null where that is not possible: on other systems than
 * Linux, without `ip`, or without the right to it, as in most containers.
 */
export function createNetworkPair(): NetworkPair | null {
  const [near, far] = [`sluice-${process.pid}-a`, `sluice-${process.pid}-b`];
  const remove = (): void => {
    ip(`netns del ${near}`);
    ip(`netns del ${far}`);
  };
  const isMade =
    process.platform === "linux" &&
    ip(`netns add ${near}`) &&
    ip(`netns add ${far}`) &&
    ip(`link add near netns ${near} type veth peer name far netns ${far}`) &&
    ip(`-n ${near} addr add 10.77.0.1/24 dev near`) &&
    ip(`-n ${far} addr add 10.77.0.2/24 dev far`) &&
    ip(`-n ${near} link set near up`) &&
    ip(`-n ${far} link set far up`) &&
    ip(`netns exec ${near} true`);
  if (!isMade) {
    remove();
    return null;
  }
  return {
    near: { address: "10.77.0.1", prefix: ["ip", "netns", "exec", near] },
    far: { address: "10.77.0.2", prefix: ["ip", "netns", "exec", far] },
    cut: () => void ip(`-n ${far} link set far down`),
    remove,
  };
}
