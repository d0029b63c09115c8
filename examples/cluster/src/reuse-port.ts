import { UserError } from "./command-line.ts";

/**
 * Whether `server.listen({ reusePort: true })` does what it says. A Node that is older takes the option without a word and
 * ignores it, and only the second worker would notice.
 *
 * @param version e.g. "22.12.0"
 */
export function hasReusePort(version: string, platform: NodeJS.Platform): boolean {
  const [major, minor] = version.split(".").map(Number);
  const isNewEnough = major === 22 ? minor >= 12 : major === 23 ? minor >= 1 : major > 23;
  // Other systems share a port too, but not all of them share the connections out.
  return isNewEnough && platform === "linux";
}

/** @throws {UserError} if this process cannot share its port with others */
export function requireReusePort(
  version: string = process.versions.node,
  platform: NodeJS.Platform = process.platform,
): void {
  if (hasReusePort(version, platform)) return;
  throw new UserError(
    `--reuse-port needs Linux and Node 22.12, 23.1 or later: this is Node ${version} on ${platform}. Leave it out to use node:cluster.`,
  );
}
