// The example's command: reads the options, starts, and turns what goes wrong into an exit status.
import { startDemoClients } from "./demo-clients.ts";
import { HELP, parseOptions, UserError } from "./options.ts";
import { startServer } from "./server.ts";

let options: ReturnType<typeof parseOptions> = null;
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

async function run({ host, port, demoClients }: NonNullable<typeof options>): Promise<void> {
  const server = await startServer({ host, port });
  const place = `${host.includes(":") ? `[${host}]` : host}:${server.port}`;
  const stopClients = startDemoClients(`ws://${place}/echo`, demoClients);
  const stop = (): void => {
    stopClients();
    void server.close();
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  console.log(`WebSocket: ws://${place}/echo`);
  console.log(`Metrics:   http://${place}/metrics`);
}

function explain(error: unknown, exitCode: number): void {
  console.error(error instanceof UserError ? error.message : error);
  process.exitCode = exitCode;
}
