import { isIPv6 } from "node:net";

const IPV4_MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * The key under which connections of one peer are counted together.
 *
 * An IPv4 address stands for itself, also when a dual-stack socket shows it as `::ffff:a.b.c.d`. Of an IPv6 address only
 * the first 64 bits count: one subscriber is given at least a /64, so counting whole addresses would limit nobody.
 *
 * @param address as `socket.remoteAddress` gives it; `""` (unknown, e.g. a Unix socket) stays `""`
 */
export function addressKey(address: string): string {
  const mapped = IPV4_MAPPED.exec(address);
  if (mapped !== null) {
    return mapped[1];
  }
  return isIPv6(address) ? `${networkGroups(address).join(":")}::/64` : address;
}

/** The first four of the eight groups, lower case, without leading zeros. */
function networkGroups(address: string): string[] {
  const zoneStart = address.indexOf("%");
  const [front, back] = (zoneStart === -1 ? address : address.slice(0, zoneStart)).split("::");
  const groups = splitGroups(front);
  if (back !== undefined) {
    const tail = splitGroups(back);
    // A dotted IPv4 tail is one element here and two groups on the wire.
    const width = tail.length + (back.includes(".") ? 1 : 0);
    for (let missing = 8 - groups.length - width; missing > 0; missing--) {
      groups.push("0");
    }
    groups.push(...tail);
  }
  return groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
}

function splitGroups(part: string): string[] {
  return part === "" ? [] : part.split(":");
}
