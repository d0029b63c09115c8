import { type EventEmitter, errorMonitor } from "node:events";
import type { Server as HttpServer } from "node:http";
import { Server as HttpsServer } from "node:https";
import type { OwnPortOptions } from "./options.ts";

/** Where a server listens. */
export interface ListeningInfo {
  /** The address bound, e.g. "127.0.0.1" or "::"; of a Unix socket its path. */
  readonly address: string;
  /** The port bound; 0 for a Unix socket. */
  readonly port: number;
  /** A URL that a client on this machine can connect to. */
  readonly url: string;
}

/**
 * Starts a server of our own.
 *
 * @param onError errors that come later, e.g. when the process has no descriptors left to accept with
 * @throws {Error} if it cannot listen, e.g. with the code EADDRINUSE
 */
export function listen(
  server: HttpServer | HttpsServer,
  options: OwnPortOptions,
  onError: (error: unknown) => void,
): Promise<ListeningInfo> {
  return new Promise((resolve, reject) => {
    let isListening = false;
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (isListening) onError(error);
      else reject(createListenError(error, options));
    });
    server.once("listening", () => {
      isListening = true;
      resolve(getListeningInfo(server, options.path));
    });
    server.listen({ port: options.port, host: options.host });
  });
}

/** Waits for a server that somebody else starts. Its errors stay its owner's: they are only watched. */
export function whenListening(server: HttpServer | HttpsServer, path: string | undefined): Promise<ListeningInfo> {
  if (server.listening) return Promise.resolve(getListeningInfo(server, path));
  return new Promise((resolve, reject) => {
    const events: EventEmitter = server;
    const onListening = (): void => {
      events.off(errorMonitor, onError);
      resolve(getListeningInfo(server, path));
    };
    const onError = (error: Error): void => {
      events.off("listening", onListening);
      reject(error);
    };
    events.once("listening", onListening);
    events.once(errorMonitor, onError);
  });
}

function getListeningInfo(server: HttpServer | HttpsServer, path: string = "/"): ListeningInfo {
  const scheme = server instanceof HttpsServer ? "wss" : "ws";
  const bound = server.address();
  if (bound === null || typeof bound === "string") {
    return { address: bound ?? "", port: 0, url: `${scheme}+unix:${bound ?? ""}` };
  }
  const { address, port } = bound;
  return { address, port, url: new URL(`${scheme}://${toHost(address)}:${port}${path}`).href };
}

/** The unspecified address is one to listen on, not one to connect to. */
function toHost(address: string): string {
  if (address === "::" || address === "0.0.0.0") return "localhost";
  return address.includes(":") ? `[${address}]` : address;
}

const LISTEN_HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "it is in use: stop the other process, or choose another port (0 takes a free one)",
  EACCES: "this user may not: ports below 1024 often need rights",
  EADDRNOTAVAIL: "this machine does not have the address",
  ENOTFOUND: "the host name is not known",
};

function createListenError(cause: NodeJS.ErrnoException, { port, host }: OwnPortOptions): Error {
  const place = host === undefined ? `port ${port}` : `${host}, port ${port}`;
  const hint = LISTEN_HINTS[cause.code ?? ""] ?? cause.message;
  return Object.assign(new Error(`Cannot listen on ${place} as ${hint}`, { cause }), { code: cause.code });
}
