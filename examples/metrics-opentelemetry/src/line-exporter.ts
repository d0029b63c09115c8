import {
  AggregationTemporality,
  InMemoryMetricExporter,
  type PushMetricExporter,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";

type Done = Parameters<PushMetricExporter["export"]>[1];

/**
 * Prints each collection as one line of JSON, short enough to read. It is there so that the example needs no collector; any
 * exporter of OpenTelemetry fits in its place, such as `OTLPMetricExporter`.
 */
export class LineExporter extends InMemoryMetricExporter {
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    super(AggregationTemporality.CUMULATIVE);
    this.#print = print;
  }

  override export(metrics: ResourceMetrics, done: Done): void {
    this.#print(JSON.stringify(toValues(metrics)));
    done({ code: 0 });
  }
}

/** Each value by its instrument's name and its attribute. Of a histogram its count. */
export function toValues({ scopeMetrics }: ResourceMetrics): Record<string, number> {
  const values: Record<string, number> = {};
  for (const { descriptor, dataPoints } of scopeMetrics.flatMap(({ metrics }) => metrics)) {
    for (const { attributes, value } of dataPoints) {
      const [attribute] = Object.entries(attributes);
      const name = attribute === undefined ? descriptor.name : `${descriptor.name}{${attribute.join("=")}}`;
      values[name] = typeof value === "number" ? value : value.count;
    }
  }
  return values;
}
