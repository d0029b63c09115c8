import { describe, expect, it, vi } from "vitest";
import {
  type ConnectionHandler,
  type OwnPortOptions,
  type ServerWebSocketStream,
  serve,
} from "../../packages/sluice/src/server.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { createScope } from "../support/scope.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const use = createScope();

async function start(handler: ConnectionHandler, options: Partial<OwnPortOptions> = {}) {
  const server = use(await serve({ port: 0, host: "127.0.0.1", ...options }, handler));
  return { server, url: (await server.listening).url };
}

describe("serve()", () => {
  it("echoes with a pipe, and every connection has its own handler", async () => {
    const { url } = await start(async (stream) => {
      const { readable, writable } = await stream.opened;
      await readable.pipeTo(writable);
    });
    const messages = await Promise.all(
      ["a", "b", "c"].map(async (text) => {
        const client = new WebSocketStream(url);
        const { readable, writable } = await client.opened;
        await writable.getWriter().write(text);
        const { value } = await readable.getReader().read();
        client.close();
        await client.closed;
        return value;
      }),
    );
    expect(messages).toEqual(["a", "b", "c"]);
  });

  it("leaves the connection open when the handler returns", async () => {
    const { url } = await start(async (stream) => {
      const { readable, writable } = await stream.opened;
      readable.pipeTo(writable).catch(() => {});
    });
    const client = new WebSocketStream(url);
    const { readable, writable } = await client.opened;
    const reader = readable.getReader();
    const writer = writable.getWriter();
    for (const text of ["1", "2"]) {
      await writer.write(text);
      expect((await reader.read()).value).toBe(text);
    }
    client.close();
    await client.closed;
  });

  it.each([
    ["closes without a code", undefined, 1005],
    ["leaves the close to the handler with preventCancel", { preventCancel: true }, 1011],
  ])("an error that leaves a for await over the readable %s", async (_, options, closeCode) => {
    const error = new Error("of the handler");
    const onError = vi.fn();
    const { url } = await start(
      async (stream) => {
        const { readable } = await stream.opened;
        for await (const _message of readable.values(options)) throw error;
      },
      { onError },
    );
    const client = new WebSocketStream(url);
    await (await client.opened).writable.getWriter().write("a message");
    expect(await client.closed).toEqual({ closeCode, reason: "" });
    expect(onError).toHaveBeenCalledExactlyOnceWith(error, expect.anything());
  });

  it("takes whatever a handler returns that is no promise", async () => {
    const onError = vi.fn();
    const { url } = await start((() => new Set()) as never, { onError });
    const client = new WebSocketStream(url);
    await client.opened;
    client.close({ closeCode: 4000 });
    expect(await client.closed).toEqual({ closeCode: 4000, reason: "" });
    expect(onError).not.toHaveBeenCalled();
  });

  const failures: [name: string, handler: (error: Error) => ConnectionHandler][] = [
    [
      "throws",
      (error) => () => {
        throw error;
      },
    ],
    ["rejects", (error) => () => Promise.reject(error)],
  ];
  it.each(failures)(
    "closes with 1011 when the handler %s, and reports it with the stream",
    async (_, createHandler) => {
      const problem = new Error("a fault of the handler");
      const reported = withResolvers<[unknown, ServerWebSocketStream | null]>();
      const { url } = await start(createHandler(problem), { onError: (...given) => reported.resolve(given) });
      const client = new WebSocketStream(url);
      expect(await client.closed).toEqual({ closeCode: 1011, reason: "" });
      const [error, stream] = await reported.promise;
      expect(error).toBe(problem);
      expect(stream?.url).toBe(url);
    },
  );

  it.each([
    [
      "throws",
      () => {
        throw new Error("second");
      },
    ],
    ["rejects", () => Promise.reject(new Error("second"))],
  ])("survives an onError that %s itself", async (_, onError: () => void) => {
    const warned = withResolvers<string>();
    const emitWarning = vi.spyOn(process, "emitWarning").mockImplementation((text) => warned.resolve(String(text)));
    try {
      const { url } = await start(() => Promise.reject(new Error("first")), { onError });
      await new WebSocketStream(url).closed;
      expect(await warned.promise).toContain("Error: second");
    } finally {
      emitWarning.mockRestore();
    }
  });

  it("warns without onError, but not about a peer that went away", async () => {
    const emitWarning = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    try {
      const settled = withResolvers<void>();
      const { url, server } = await start(async (stream) => {
        const { readable } = await stream.opened;
        if (stream.url.endsWith("/fault")) throw new Error("a fault");
        try {
          await readable.pipeTo(new WritableStream());
        } finally {
          settled.resolve();
        }
      });
      const client = new WebSocketStream(url);
      await client.opened;
      const { socket } = await rawUpgrade((await server.listening).port);
      socket.resetAndDestroy();
      await settled.promise;
      await new Promise((resolve) => setImmediate(resolve));
      expect(emitWarning).not.toHaveBeenCalled();
      await new WebSocketStream(new URL("/fault", url)).closed;
      expect(emitWarning).toHaveBeenCalledWith(
        expect.stringContaining("Error: a fault"),
        expect.objectContaining({ code: "SLUICE_SERVER_ERROR", detail: expect.stringContaining("serve.test") }),
      );
      client.close();
    } finally {
      emitWarning.mockRestore();
    }
  });

  describe("what an echo of the form readable.pipeTo(writable) reports", () => {
    const echo: ConnectionHandler = async (stream) => {
      const { readable, writable } = await stream.opened;
      await readable.pipeTo(writable);
    };

    /** Every error that `onError` was told until the server was closed. */
    async function reportsOf(handler: ConnectionHandler, play: (client: WebSocketStream) => Promise<void> | void) {
      const reports: unknown[] = [];
      const ended = withResolvers<void>();
      const { server, url } = await start(
        async (stream) => {
          try {
            await handler(stream);
          } finally {
            stream.closed.then(
              () => ended.resolve(),
              () => ended.resolve(),
            );
          }
        },
        { onError: (error) => reports.push(error) },
      );
      const client = new WebSocketStream(url);
      await client.opened;
      await play(client);
      await ended.promise;
      await server.close();
      return reports;
    }

    it.each<[name: string, play: (client: WebSocketStream) => void]>([
      ["without a code", (client) => client.close()],
      ["with a code", (client) => client.close({ closeCode: 4000, reason: "done" })],
      ["by closing its writable", async (client) => void (await client.opened).writable.close()],
      ["by cancelling its readable", async (client) => void (await client.opened).readable.cancel()],
    ])("is nothing when the client closes %s", async (_, play) => {
      expect(await reportsOf(echo, play)).toEqual([]);
    });

    it("is nothing when the server itself closes the connection", async () => {
      const reports: unknown[] = [];
      const { server, url } = await start(echo, { onError: (error) => reports.push(error) });
      const client = new WebSocketStream(url);
      await client.opened;
      await server.close();
      expect(await client.closed).toEqual({ closeCode: 1001, reason: "" });
      expect(reports).toEqual([]);
    });

    it("is the handler's own fault, although the client closed at the same moment", async () => {
      const problem = new Error("a fault of the handler");
      const reports = await reportsOf(
        async (stream) => {
          await echo(stream)?.catch(() => {});
          throw problem;
        },
        (client) => client.close(),
      );
      expect(reports).toEqual([problem]);
    });

    it("is an InvalidStateError of another object than this connection's writable", async () => {
      const problem = new DOMException("the handler's database is closed", "InvalidStateError");
      const reports = await reportsOf(
        async (stream) => {
          await echo(stream)?.catch(() => {});
          throw problem;
        },
        (client) => client.close(),
      );
      expect(reports).toEqual([problem]);
    });

    it("is the error of a write behind the handler's own close()", async () => {
      const reports = await reportsOf(
        async (stream) => {
          const { writable } = await stream.opened;
          stream.close();
          await writable.getWriter().write("too late");
        },
        () => {},
      );
      expect(reports).toEqual([expect.objectContaining({ name: "InvalidStateError" })]);
    });

    it("is the error of a write that the client's Close cut off", async () => {
      const reports = await reportsOf(
        async (stream) => {
          const { writable } = await stream.opened;
          await writable.getWriter().write(new Uint8Array(64 * 1024 * 1024));
        },
        (client) => client.close(),
      );
      expect(reports).toEqual([expect.objectContaining({ name: "InvalidStateError" })]);
    });
  });

  it("throws TypeError without a handler", async () => {
    await expect(serve({ port: 0 }, undefined as unknown as ConnectionHandler)).rejects.toThrow(TypeError);
  });
});

describe("ServerWebSocketStream", () => {
  it.each([1000, 1001, 1003, 1008, 1011, 1012, 1013, 3000, 4999])("close() takes the code %j", async (closeCode) => {
    const { url } = await start((stream) => stream.close({ closeCode, reason: "because" }));
    expect(await new WebSocketStream(url).closed).toEqual({ closeCode, reason: "because" });
  });

  it("close() throws for codes that may not be sent, and the connection stays open", async () => {
    const problems: unknown[] = [];
    const { url } = await start((stream) => {
      for (const closeInfo of [
        { closeCode: 1005 },
        { closeCode: 1006 },
        { closeCode: 999 },
        { reason: "x".repeat(124) },
      ]) {
        try {
          stream.close(closeInfo);
        } catch (error) {
          problems.push((error as Error).name);
        }
      }
      stream.close({ reason: "last" });
    });
    expect(await new WebSocketStream(url).closed).toEqual({ closeCode: 1000, reason: "last" });
    expect(problems).toEqual(["InvalidAccessError", "InvalidAccessError", "InvalidAccessError", "SyntaxError"]);
  });
});

async function rawUpgrade(port: number) {
  const { RawClient } = await import("../support/raw-http.ts");
  const client = use(await RawClient.upgrade(port));
  await client.response();
  return client;
}
