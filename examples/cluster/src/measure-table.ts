/** One run of one setting. */
export interface Sample {
  readonly echoesPerSecond: number;
  /** Processor seconds per million messages echoed, of all processes of the server together. */
  readonly serverSeconds: number;
  /** The same of all client processes. */
  readonly clientSeconds: number;
  /** Processors that were busy for us, server and clients together, on average. */
  readonly busyProcessors: number;
  /** How many connections each worker had. */
  readonly connections: readonly number[];
}

/** All runs of one setting. */
export interface Setting {
  readonly workers: number;
  readonly samples: readonly Sample[];
}

const HEAD = ["workers", "echo/s", "lowest to highest", "server s/M", "client s/M", "busy CPUs", "connections"];

/** The settings as a table in Markdown, medians of all rounds, and under it how the last compares with the first. */
export function formatTable(settings: readonly Setting[]): string {
  const rows = settings.map(({ workers, samples }) => {
    const rates = samples.map(({ echoesPerSecond }) => echoesPerSecond);
    const get = (name: "serverSeconds" | "clientSeconds" | "busyProcessors"): string =>
      median(samples.map((sample) => sample[name])).toFixed(2);
    return [
      String(workers),
      formatRate(median(rates)),
      `${formatRate(Math.min(...rates))} to ${formatRate(Math.max(...rates))}`,
      get("serverSeconds"),
      get("clientSeconds"),
      get("busyProcessors"),
      samples.map(({ connections }) => connections.join("+")).join(", "),
    ];
  });
  const lines = [HEAD, HEAD.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return `${lines.join("\n")}\n\n${formatRatio(settings)}`;
}

/** The ratio is taken within each round, since a busy machine is busy for both. */
function formatRatio(settings: readonly Setting[]): string {
  const [one, many] = [settings[0], settings[settings.length - 1]];
  const ratios = many.samples.map((sample, round) => sample.echoesPerSecond / one.samples[round].echoesPerSecond);
  const [low, middle, high] = [Math.min(...ratios), median(ratios), Math.max(...ratios)].map((ratio) =>
    ratio.toFixed(2),
  );
  return `${many.workers} workers echo ${middle} times as much as ${one.workers} (${low} to ${high} in ${ratios.length} rounds).`;
}

/** @param values at least one */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function formatRate(rate: number): string {
  return Math.round(rate).toLocaleString("en-US");
}
