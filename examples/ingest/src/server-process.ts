// The server and its database: a process of its own, so that its memory is not taken for the fleet's.
import { MessageByteLengthStrategy } from "sluice";
import { serve, type WebSocketStreamServer } from "sluice/server";
import { fail, measureMemory, report } from "./child.ts";
import { Ingestion } from "./ingestion.ts";
import { HIGH_WATER_MARK_BYTES } from "./limits.ts";
import { Pace } from "./pace.ts";
import { type ServerCommand, type ServerSettings, type ServerStatus, STATUS_INTERVAL_MS } from "./processes.ts";
import { findErrorCode, UserError } from "./user-error.ts";
import { Warehouse } from "./warehouse.ts";
import { MAX_MESSAGE_BYTES, PATH, SUBPROTOCOL } from "./wire.ts";

const ingestions: Ingestion[] = [];
let settings: ServerSettings;
let pace: Pace;
let warehouse: Warehouse;
let server: WebSocketStreamServer;
let stallEndsAtMs = 0;
let statusTimer: NodeJS.Timeout;

process.on("message", (command: ServerCommand) => {
  if (command.type === "start") start(command.settings).catch(fail);
  else if (command.type === "drain") drain();
  else finish().catch(fail);
});
// Whoever started it has died: what came so far is kept.
process.on("disconnect", () => void finish().finally(() => process.exit(1)));

async function start(given: ServerSettings): Promise<void> {
  settings = given;
  pace = new Pace(settings.sinkRate);
  const onFailure = (error: unknown): void => void fail(explainDatabase("write to", settings.databasePath, error));
  warehouse = await Warehouse.create(settings.databasePath, pace, onFailure).catch((error) => {
    throw explainDatabase("create", settings.databasePath, error);
  });
  server = await serve(
    {
      host: settings.host,
      port: settings.port,
      path: PATH,
      protocols: [SUBPROTOCOL],
      maxMessageBytes: MAX_MESSAGE_BYTES,
      readableStrategy: new MessageByteLengthStrategy({ highWaterMark: HIGH_WATER_MARK_BYTES }),
      onError: (error) => void report({ type: "problem", text: `A connection failed: ${toText(error)}` }),
    },
    async (stream) => {
      const ingestion = new Ingestion(stream, ingestions.length, warehouse);
      ingestions.push(ingestion);
      await ingestion.run();
    },
  ).catch((error) => {
    throw explainPort(settings, error);
  });
  statusTimer = setInterval(() => {
    stallWhenDue();
    void report({ type: "status", status: getStatus() });
  }, STATUS_INTERVAL_MS);
  const { url } = await server.listening;
  await report({ type: "listening", url: new URL(PATH, url).href });
}

/** Once, in the middle: the database stops taking anything, as one does that compacts, fails over, or is out of disk. */
function stallWhenDue(): void {
  if (stallEndsAtMs > 0 || settings.stallMs === 0 || warehouse.acceptedRecords < settings.stallAfterRecords) return;
  pace.stopFor(settings.stallMs);
  stallEndsAtMs = performance.now() + settings.stallMs;
}

/** From now on the database is as fast as it can be. */
function drain(): void {
  stallEndsAtMs = 1;
  pace?.open();
}

async function finish(): Promise<void> {
  drain();
  clearInterval(statusTimer);
  await server?.drain({ closeCode: 1001, reason: "the server is shutting down", deadlineMs: 5_000, spreadMs: 0 });
  await warehouse?.close();
  await report({ type: "finished", status: getStatus() });
  process.exit(0);
}

function getStatus(): ServerStatus {
  return {
    ...measureMemory(),
    committedRecords: warehouse?.committedRecords ?? 0,
    stallLeftMs: Math.max(0, stallEndsAtMs - performance.now()),
    connections: ingestions.map((ingestion) => ingestion.status),
  };
}

function explainDatabase(action: string, path: string, error: unknown): UserError {
  return new UserError(
    `Cannot ${action} the database ${path}: ${toText(error)}`,
    "Name a file in a directory that exists, that you may write to, and that has room, with --database.",
    { cause: error },
  );
}

function explainPort({ host, port }: ServerSettings, error: unknown): unknown {
  const code = findErrorCode(error);
  if (code === "EADDRINUSE") {
    return new UserError(
      `Cannot listen on ${host}:${port}: another program does already`,
      "Choose another port with --port, or 0 for any that is free.",
      { cause: error },
    );
  }
  return new UserError(`Cannot listen on ${host}:${port}: ${toText(error)}`, "Check --host and --port.", {
    cause: error,
  });
}

/** One line. */
function toText(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] as string;
}
