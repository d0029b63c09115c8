import { describe, expect, it } from "vitest";
import { Budget } from "../connection/budget.ts";
import { Connection, type ConnectionOptions } from "../connection/connection.ts";
import { Established } from "../streams/established.ts";
import { WebSocketStream } from "../streams/websocket-stream.ts";
import { MemoryTransport } from "../testing/memory-transport.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { CreditCodec } from "./credit-codec.ts";
import { FlowConnection } from "./flow-connection.ts";

/** Two streams with flow control; `limits` are the server's. */
async function createPair(limits: Partial<ConnectionOptions>) {
  const clock = new VirtualClock();
  const [clientTransport, serverTransport] = MemoryTransport.pair(clock);
  const create = (transport: MemoryTransport, role: "client" | "server") => {
    const fillRandom = (target: Uint8Array): void => {
      crypto.getRandomValues(target as Uint8Array<ArrayBuffer>);
    };
    const own = role === "server" ? limits : {};
    const engine = new Connection(transport, { role, clock, fillRandom, keepAlive: false, ...own });
    const connection = new FlowConnection(engine, new CreditCodec(), "credit", { clock });
    const info = { url: "ws://memory/", protocol: "", extensions: "", options: {} };
    return new WebSocketStream(new Established(connection as unknown as Connection, info) as never);
  };
  const client = create(clientTransport, "client");
  const server = create(serverTransport, "server");
  const [{ writable }, { readable }] = await Promise.all([client.opened, server.opened]);
  await clock.run();
  let error: unknown = null;
  server.closed.catch((reason: unknown) => {
    error = reason;
  });
  return { clock, writer: writable.getWriter(), reader: readable.getReader(), getError: () => error };
}

describe("the limits of a connection below flow control", () => {
  it("what waits for the reader is charged to the memory budget, though the engine has passed it on", async () => {
    const budget = new Budget(64 * 1_048_576, () => 0);
    const { clock, writer, reader } = await createPair({ budget });
    for (let count = 0; count < 10; count++) writer.write(new Uint8Array(50_000)).catch(() => {});
    await clock.run();
    expect(budget.usedBytes).toBeGreaterThanOrEqual(500_000);
    for (let count = 0; count < 10; count++) await reader.read();
    await clock.run();
    // A record of credit may be under way.
    expect(budget.usedBytes).toBeLessThan(100);
  });

  it("idleTimeoutMs: time in which a received message waits for the reader does not count (R9)", async () => {
    const { clock, writer, reader, getError } = await createPair({ idleTimeoutMs: 60_000 });
    for (const text of ["1", "2", "3"]) await writer.write(text);
    await clock.advance(600_000);
    expect(getError()).toBeNull();
    for (const text of ["1", "2", "3"]) expect((await reader.read()).value).toBe(text);
    reader.read().catch(() => {});
    await clock.advance(75_000);
    expect(getError()).toMatchObject({ cause: { code: "ERR_SLUICE_IDLE_TIMEOUT" } });
  });
});
