import { createServer } from "node:http";
import { type ServerWebSocketStream, serve, type WebSocketStreamServer } from "sluice/server";
import { listen } from "../support/listen.ts";
import { type Ending, endingOf } from "./echo-channel.ts";
import { type TappedConnection, WireTap } from "./wire-tap.ts";

/** Our server with its commands, behind a tap. */
export interface EchoServer {
  /** Port of the server itself. */
  readonly port: number;
  readonly tap: WireTap;
  /** What the wire has shown of the connection of a case. */
  find(caseName: string): TappedConnection | undefined;
  /** How the connection of a case ended here. */
  endingOf(caseName: string): Promise<Ending>;
  close(): Promise<void>;
}

/** The modes of permessage-deflate, by the name of the case. */
const deflateModes: Readonly<
  Record<string, boolean | { serverNoContextTakeover: true; clientNoContextTakeover: true }>
> = {
  "deflate: with context takeover": true,
  "deflate: without context takeover": { serverNoContextTakeover: true, clientNoContextTakeover: true },
  "deflate: offered to one without it": true,
};

/**
 * Echoes; and, told by a text: `/close 4001 bye`, `/close`, `/terminate` (FIN without a Close), `/reset` (RST),
 * `/await-ping` and `/await-pong` (answers when the client's frame has gone over the wire). The request says which case it is.
 */
export async function startEchoServer(): Promise<EchoServer> {
  const httpServer = createServer((_, response) =>
    response.setHeader("content-type", "text/html").end("<!doctype html>"),
  );
  const port = await listen(httpServer);
  const tap = await WireTap.open(port);
  const endings = new Map<string, Promise<Ending>>();
  const handle = async (stream: ServerWebSocketStream): Promise<void> => {
    const path = stream.request.url ?? "";
    const ending = endingOf(stream);
    endings.set(readCase(path), ending);
    try {
      await echo(stream, tap, path);
    } catch {
      // The connection has ended: the case looks at how.
      await ending;
    }
  };
  const server: WebSocketStreamServer = await serve(
    {
      server: httpServer,
      origins: "*",
      upgrade(request) {
        const name = readCase(request.url ?? "");
        const keepAlive = name === "pings: ours to them" ? { intervalMs: 5, timeoutMs: 20_000 } : undefined;
        return { perMessageDeflate: deflateModes[name] ?? false, keepAlive };
      },
    },
    handle,
  );
  const find = (caseName: string) => tap.connections.find(({ path }) => readCase(path) === caseName);
  return {
    port,
    tap,
    find,
    async endingOf(caseName) {
      const ending = endings.get(caseName);
      if (ending === undefined) throw new Error(`No connection was made for "${caseName}"`);
      return ending;
    },
    async close() {
      await tap.close();
      await server.close();
      httpServer.closeAllConnections();
      await new Promise((resolve) => httpServer.close(resolve));
    },
  };
}

function readCase(path: string): string {
  return new URL(path, "http://localhost").searchParams.get("case") ?? "";
}

async function echo(stream: ServerWebSocketStream, tap: WireTap, path: string): Promise<void> {
  const { readable, writable } = await stream.opened;
  const writer = writable.getWriter();
  for await (const message of readable) {
    const [command, code, ...reason] = typeof message === "string" ? message.split(" ") : [];
    if (command === "/close") {
      stream.close(code === undefined ? {} : { closeCode: Number(code), reason: reason.join(" ") });
    } else if (command === "/terminate") stream.request.socket.destroy();
    else if (command === "/reset") stream.request.socket.resetAndDestroy();
    else if (command === "/await-ping" || command === "/await-pong") {
      const wanted = command === "/await-ping" ? 0x9 : 0xa;
      const connection = tap.connections.find((candidate) => candidate.path === path);
      await connection?.frame(({ from, opcode }) => from === "client" && opcode === wanted);
      await writer.write(`${command.slice("/await-".length)} seen`);
    } else await writer.write(message as string | Uint8Array<ArrayBuffer>);
  }
}
