// The fleet: a process of its own, so that its memory is not taken for the server's.
import { fail, measureMemory, report } from "./child.ts";
import { DataSet } from "./data-set.ts";
import { FleetClient } from "./fleet-client.ts";
import { Pace } from "./pace.ts";
import { type FleetCommand, type FleetSettings, type ProcessStatus, STATUS_INTERVAL_MS } from "./processes.ts";

/** The most that a client may hold is looked for this often, and at each message. */
const SAMPLE_INTERVAL_MS = 20;

let clients: FleetClient[] = [];
let pace: Pace = new Pace(Number.POSITIVE_INFINITY);
let isStopping = false;

process.on("message", (command: FleetCommand) => {
  if (command.type === "start") run(command.settings).catch(fail);
  else stop();
});
process.on("disconnect", () => process.exit(1)); // nobody is left to stop it

async function run(settings: FleetSettings): Promise<void> {
  pace = new Pace(settings.rate ?? Number.POSITIVE_INFINITY);
  const dataSet = await DataSet.load(settings.records);
  clients = dataSet
    .deal(settings.clients, settings.seed)
    .map(
      (departures, client) =>
        new FleetClient({ url: settings.url, client, departures, batchRecords: settings.batchRecords, pace }),
    );
  if (isStopping) stop();
  const statusTimer = setInterval(() => void report({ type: "status", status: getStatus() }), STATUS_INTERVAL_MS);
  const sampleTimer = setInterval(() => {
    for (const client of clients) client.sample();
  }, SAMPLE_INTERVAL_MS);
  const results = await Promise.all(clients.map((client) => client.run()));
  clearInterval(statusTimer);
  clearInterval(sampleTimer);
  await report({ type: "result", clients: results });
  await report({ type: "finished", status: getStatus() });
  process.exit(0);
}

function stop(): void {
  isStopping = true;
  for (const client of clients) client.stop();
  pace.open();
}

function getStatus(): ProcessStatus {
  return { ...measureMemory(), connections: clients.map((client) => client.status) };
}
