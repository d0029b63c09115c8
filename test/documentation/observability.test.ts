import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { observeServer } from "../../examples/metrics-opentelemetry/src/sluice-metrics.ts";
import { SluiceMetrics } from "../../examples/metrics-prometheus/src/sluice-metrics.ts";
import { NO_COUNTERS } from "../../packages/sluice/src/connection/connection.ts";
import { NO_METRICS } from "../../packages/sluice/src/connection/connection-metrics.ts";
import { CHANNEL_NAMES } from "../../packages/sluice/src/node/diagnostics.ts";
import { type ServerMetrics, WebSocketStreamServer } from "../../packages/sluice/src/server.ts";
import { parseModule, walk } from "../support/module-imports.ts";
import { codeOf, findRows, type Row } from "./tables.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const page = read("docs/observability.md");
const rowsOf = (heading: string): Row[] => findRows(page, heading);
/** The names in the first column of a table. */
const namesIn = (heading: string): string[] => rowsOf(heading).map((row) => codeOf(row[heading]) ?? "not a name");
const sorted = (names: Iterable<string>): string[] => [...names].sort();

/** The members of each interface of a source, with the name of their type where they have one. */
function interfacesOf(path: string): Map<string, Map<string, string | null>> {
  const interfaces = new Map<string, Map<string, string | null>>();
  for (const node of walk(parseModule(path, read(path)))) {
    if (node.type !== "TSInterfaceDeclaration") continue;
    const { id, body } = node as unknown as { id: { name: string }; body: { body: Member[] } };
    const members = body.body.map(({ key, typeAnnotation }): [string, string | null] => [
      key.name ?? key.value ?? "",
      typeAnnotation?.typeAnnotation.typeName?.name ?? null,
    ]);
    interfaces.set(id.name, new Map(members));
  }
  return interfaces;
}

interface Member {
  readonly key: { readonly name?: string; readonly value?: string };
  readonly typeAnnotation?: { readonly typeAnnotation: { readonly typeName?: { readonly name: string } } } | null;
}

const metrics = interfacesOf("packages/sluice/src/server/metrics.ts").get("ServerMetrics");
const streamMetrics = interfacesOf("packages/sluice/src/connection/connection-metrics.ts").get("StreamMetrics");
const diagnostics = interfacesOf("packages/sluice/src/node/diagnostics.ts");

describe("docs/observability.md: channels", () => {
  const messages = diagnostics.get("DiagnosticsMessages") as Map<string, string>;

  it("has a row for each, in the order of the types", () => {
    expect(namesIn("channel")).toEqual(CHANNEL_NAMES);
    expect([...messages.keys()]).toEqual(CHANNEL_NAMES);
  });

  it.each(rowsOf("channel").map((row) => [codeOf(row.channel) as string, row] as const))(
    "%s has these fields",
    (name, row) => {
      const fields = [...(row.fields as string).matchAll(/`(\w+)`/g)].map(([, field]) => field as string);
      expect(fields).toEqual([...(diagnostics.get(messages.get(name) as string) as Map<string, unknown>).keys()]);
    },
  );

  it("says what a connection is", () => {
    expect(namesIn("of `connection`")).toEqual([
      ...(diagnostics.get("DiagnosedConnection") as Map<string, unknown>).keys(),
    ]);
  });
});

describe("docs/observability.md: counters and states", () => {
  it("has a row for each counter of a connection", () => {
    expect(namesIn("counter")).toEqual(Object.keys(NO_COUNTERS));
  });

  it("has a row for each state of a connection, and no other", () => {
    expect(namesIn("of one connection")).toEqual([...(streamMetrics as Map<string, unknown>).keys()]);
    expect(sorted([...namesIn("counter"), ...namesIn("of one connection")])).toEqual(sorted(Object.keys(NO_METRICS)));
  });

  it("has a row for each number of a server, and no other", () => {
    expect(sorted(namesIn("of a server"))).toEqual(sorted((metrics as Map<string, unknown>).keys()));
    const values = new WebSocketStreamServer({ noServer: true }).metrics();
    expect(sorted([...namesIn("counter"), ...namesIn("of a server")])).toEqual(sorted(Object.keys(values)));
  });

  it("marks as a state what may go down", () => {
    const states = rowsOf("of a server").filter(({ unit }) => unit?.endsWith(", state"));
    const names = states.map((row) => codeOf(row["of a server"]));
    expect(names).toEqual([
      ...["connectionsOpen", "handshakesPending", "heldBytesIn", "heldBytesOut"],
      ...["budgetBytes", "budgetSoftBytes", "budgetUsedBytes", "fallbacks"],
    ]);
  });
});

const rows = [...rowsOf("counter"), ...rowsOf("of a server")];
const nameOf = (row: Row): string => codeOf(row.counter ?? row["of a server"]) as string;
/** A number of its own for each, to be found again; `KEY` stands for any key. */
const numbers = new Map(rows.map((row, index) => [nameOf(row), 1_000_003 * (index + 1)]));
const fake = { metrics: createMetrics } as unknown as WebSocketStreamServer;

function createMetrics(): ServerMetrics {
  const shape = Object.entries(new WebSocketStreamServer({ noServer: true }).metrics());
  return Object.fromEntries(
    shape.map(([name, value]) => [name, typeof value === "number" ? numbers.get(name) : { KEY: numbers.get(name) }]),
  ) as unknown as ServerMetrics;
}

/** What an exporter should show, by the column of its names. */
function expectedOf(column: string): Map<string, number> {
  return new Map(
    rows.flatMap((row): [string, number][] => {
      const name = nameOf(row);
      const value = numbers.get(name) as number;
      const shown = codeOf(row[column]);
      expect(shown ?? row[column], name).toBe(shown ?? "–");
      return shown === null ? [] : [[shown.replace("…", "KEY"), name.endsWith("Ms") ? value / 1000 : value]];
    }),
  );
}

describe("docs/observability.md: the names that the examples export", () => {
  it("Prometheus", async () => {
    const require = createRequire(join(root, "examples/metrics-prometheus/package.json"));
    const { Registry } = require("prom-client") as {
      Registry: new () => ConstructorParameters<typeof SluiceMetrics>[1];
    };
    const registry = new Registry();
    const exporter = new SluiceMetrics(fake, registry);
    exporter.update();
    exporter.close();
    const samples = (await registry.metrics()).split("\n").filter((line) => /^sluice_(?!rtt_seconds)/.test(line));
    const shown = new Map(samples.map((line) => line.split(" ") as [string, string]));
    const numeric = new Map([...shown].map(([name, value]) => [name, Number(value)]));
    expect(Object.fromEntries(numeric)).toEqual(Object.fromEntries(expectedOf("Prometheus")));
  });

  it("OpenTelemetry", () => {
    const shown = new Map<string, number>();
    const create = (name: string): { name: string } => ({ name });
    const meter = {
      createObservableCounter: create,
      createObservableUpDownCounter: create,
      createObservableGauge: create,
      createHistogram: create,
      addBatchObservableCallback(observe: (result: object) => void) {
        observe({
          observe({ name }: { name: string }, value: number, attributes: Record<string, string>) {
            const [attribute] = Object.entries(attributes);
            shown.set(attribute === undefined ? name : `${name}{${attribute.join("=")}}`, value);
          },
        });
      },
      removeBatchObservableCallback() {},
    };
    observeServer(fake, meter as unknown as Parameters<typeof observeServer>[1])();
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(expectedOf("OpenTelemetry")));
  });
});
