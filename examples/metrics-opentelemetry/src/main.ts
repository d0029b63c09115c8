// The example's command: reads the options, starts, and turns what goes wrong into an exit status.
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { serve, type WebSocketStreamServer } from "sluice/server";
import { LineExporter } from "./line-exporter.ts";
import { HELP, type Options, parseOptions, UserError } from "./options.ts";
import { observeServer } from "./sluice-metrics.ts";

let options: Options | null = null;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  explain(error, 2);
}
try {
  if (options !== null) await run(options);
  else if (process.exitCode === undefined) console.log(HELP);
} catch (error) {
  explain(error, 1);
}

async function run({ host, port, intervalMs }: Options): Promise<void> {
  const server = await start(host, port);
  const exporter = new LineExporter(console.log);
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: 100,
  });
  const provider = new MeterProvider({ readers: [reader] });
  const stopObserving = observeServer(server, provider.getMeter("sluice"));
  const stop = async (): Promise<void> => {
    await server.close();
    // Exports what has happened since the last time.
    await provider.shutdown();
    stopObserving();
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  console.error(`WebSocket: ${(await server.listening).url}`);
}

async function start(host: string, port: number): Promise<WebSocketStreamServer> {
  try {
    return await serve({ host, port }, async (stream) => {
      const { readable, writable } = await stream.opened;
      await readable.pipeTo(writable);
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") {
      throw new UserError(`Another program listens on ${host}:${port}. Choose another --port, or 0 for any.`);
    }
    throw new UserError(`Cannot listen on ${host}:${port}: ${message}`);
  }
}

function explain(error: unknown, exitCode: number): void {
  console.error(error instanceof UserError ? error.message : error);
  process.exitCode = exitCode;
}
