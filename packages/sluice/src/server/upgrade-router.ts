import type { Server as HttpServer, IncomingMessage } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Duplex } from "node:stream";
import { refuse } from "./refusal.ts";

/** Somebody who serves one path, or all, of an HTTP server. */
export interface UpgradeRoute {
  /** Undefined: every path. */
  readonly path: string | undefined;
  /** Takes over the request. */
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void;
  /** Answers a request that nobody serves. */
  onUnserved(socket: Duplex, refusal: ReturnType<typeof refuse>): void;
}

/** The routes on one HTTP server, and the listener that they share. */
interface RouteTable {
  readonly routes: Set<UpgradeRoute>;
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Uint8Array) => void;
}

/**
 * Several servers of ours share an HTTP server through one `'upgrade'` listener, so that a request that none of them serves is
 * answered once, and is left alone when somebody else's listener may want it.
 */
const tables = new WeakMap<HttpServer | HttpsServer, RouteTable>();

/**
 * Adds a route to an HTTP server.
 *
 * @returns a function that removes it, and with the last one the listener; may be called again
 * @throws {Error} if the path, or every path, is taken by another route
 */
export function addUpgradeRoute(server: HttpServer | HttpsServer, route: UpgradeRoute): () => void {
  const table = tables.get(server) ?? createTable(server);
  const { routes, onUpgrade } = table;
  for (const { path } of routes) {
    if (path !== route.path) continue;
    throw new Error(`Cannot serve ${path ?? "every path"} as another WebSocketStreamServer on this HTTP server does`);
  }
  routes.add(route);
  if (routes.size === 1) {
    tables.set(server, table);
    server.on("upgrade", onUpgrade);
  }
  return () => {
    if (!routes.delete(route) || routes.size > 0) return;
    tables.delete(server);
    server.off("upgrade", onUpgrade);
  };
}

function createTable(server: HttpServer | HttpsServer): RouteTable {
  const routes = new Set<UpgradeRoute>();
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Uint8Array): void => {
    const route = findRoute(routes, request);
    if (route !== undefined) {
      route.onUpgrade(request, socket, head);
      return;
    }
    // Somebody else's listener may want it; if there is none nobody else would answer (H24).
    const [first] = routes;
    if (server.listenerCount("upgrade") === 1)
      first.onUnserved(socket, refuse(404, "There is no WebSocket at this path"));
  };
  return { routes, onUpgrade };
}

/** An exact path goes before the one that serves everything. */
function findRoute(routes: ReadonlySet<UpgradeRoute>, request: IncomingMessage): UpgradeRoute | undefined {
  const path = getPath(request);
  let fallback: UpgradeRoute | undefined;
  for (const route of routes) {
    if (route.path === path) {
      return route;
    }
    if (route.path === undefined) {
      fallback = route;
    }
  }
  return fallback;
}

/** The path of a request target, also of one in absolute form (RFC 9112 §3.2.2), without the query. */
export function getPath(request: IncomingMessage): string {
  return splitTarget(request).path;
}

/** The path and query of a request target. */
export function getPathAndQuery(request: IncomingMessage): string {
  const { path, query } = splitTarget(request);
  return path + query;
}

function splitTarget(request: IncomingMessage): { path: string; query: string } {
  const target = request.url ?? "/";
  const origin = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(target)?.[0] ?? "";
  const rest = target.slice(origin.length);
  const queryStart = rest.indexOf("?");
  const path = queryStart === -1 ? rest : rest.slice(0, queryStart);
  return { path: path === "" ? "/" : path, query: queryStart === -1 ? "" : rest.slice(queryStart) };
}
