// The example's command: reads the options, starts, and turns what goes wrong into an exit status.
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { serve, type WebSocketStreamServer } from "sluice/server";
import { startDemoClients } from "./demo-clients.ts";
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

async function run({ host, port, intervalMs, demoClients }: Options): Promise<void> {
  const server = await start(host, port);
  const exporter = new LineExporter(console.log);
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(intervalMs, 5_000),
  });
  const provider = new MeterProvider({ readers: [reader] });
  const stopObserving = observeServer(server, provider.getMeter("sluice"));
  const { url } = await server.listening;
  const stopClients = startDemoClients(url, demoClients);
  const stop = async (): Promise<void> => {
    stopClients();
    // Tells every client that it goes, waits for their answers, and ends what has not answered after five seconds.
    await server.drain({ deadlineMs: 5_000 });
    await server.close();
    // Exports what has happened since the last time.
    await provider.shutdown();
    stopObserving();
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  console.error(`WebSocket: ${url}`);
}

async function start(host: string, port: number): Promise<WebSocketStreamServer> {
  try {
    return await serve({ host, port }, async (stream) => {
      const { readable, writable } = await stream.opened;
      await readable.pipeTo(writable);
    });
  } catch (error) {
    // Says where it cannot listen, why, and what to do.
    throw new UserError((error as Error).message);
  }
}

function explain(error: unknown, exitCode: number): void {
  console.error(error instanceof UserError ? error.message : error);
  process.exitCode = exitCode;
}
