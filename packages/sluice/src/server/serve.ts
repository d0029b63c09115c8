import type { ServerOptions } from "./options.ts";
import { type ConnectionHandler, setConnectionHandler, WebSocketStreamServer } from "./websocket-stream-server.ts";

/**
 * Starts a server that gives each connection to a handler at once. The other form is to read `connections` of a
 * {@link WebSocketStreamServer}, at your own pace; with `serve` that stream stays empty, and `maxConnections` is what bounds
 * how many handlers run.
 *
 * A handler that throws, or whose promise rejects, closes its connection with 1011 and is reported through
 * `options.onError`. An error that leaves a `for await` over `readable`, or breaks a `readable.pipeTo()`, has cancelled the
 * readable before, and that closes without a code (spec-digest 2.10): `readable.values({ preventCancel: true })` and the same
 * option of `pipeTo` leave it to the handler.
 *
 * A handler that returns leaves its connection as it is: pipes that it set up go on, and it is the handler who closes.
 *
 * @returns the server, once its own port is taken; with `server` or `noServer` at once
 * @throws {Error} if the port cannot be taken, with a `code` such as EADDRINUSE
 * @throws {TypeError | RangeError} if an option cannot be meant
 * @example
 * ```ts
 * import { serve } from "sluice/server";
 *
 * await using server = await serve({ port: 0, host: "127.0.0.1" }, async (stream) => {
 *   const { readable, writable } = await stream.opened;
 *   await readable.pipeTo(writable);
 * });
 * console.log((await server.listening).url.startsWith("ws://127.0.0.1:")); // true
 * ```
 */
export async function serve(options: ServerOptions, handler: ConnectionHandler): Promise<WebSocketStreamServer> {
  if (typeof handler !== "function") throw new TypeError("The handler of serve must be a function");
  const server = new WebSocketStreamServer(options);
  setConnectionHandler(server, handler);
  if (options.port !== undefined) await server.listening;
  return server;
}
