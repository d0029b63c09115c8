import type { IncomingMessage } from "node:http";

/** The server's preferences: names in order, or a function that picks one of those offered. */
export type ProtocolChoice =
  | readonly string[]
  | ((offered: readonly string[], request: IncomingMessage) => string | undefined);

/**
 * Selects one of the offered subprotocols, or `""` for none (RFC 6455 §4.2.2, H26). Names are compared exactly.
 *
 * @throws {TypeError} if a function picks what was not offered: the client would have to fail the connection
 */
export function selectProtocol(
  choice: ProtocolChoice | undefined,
  offered: readonly string[],
  request: IncomingMessage,
): string {
  if (choice === undefined || offered.length === 0) {
    return "";
  }
  if (typeof choice === "function") {
    return requireOffered(choice(offered, request) ?? "", offered);
  }
  return choice.find((name) => offered.includes(name)) ?? "";
}

/** @throws {TypeError} if the protocol is neither `""` nor among those offered */
export function requireOffered(protocol: string, offered: readonly string[]): string {
  if (protocol !== "" && !offered.includes(protocol)) {
    const list = offered.length === 0 ? "none" : offered.join(", ");
    throw new TypeError(`Cannot select subprotocol ${JSON.stringify(protocol)} as the client offered ${list}`);
  }
  return protocol;
}
