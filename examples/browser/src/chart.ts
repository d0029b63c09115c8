import uPlot from "uplot";

const SECONDS = 60;

/** Colours of the legend, by series. */
const MARKS = ["", "var(--waiting)", "var(--received)", "var(--read)"];

/** A chart of the last minute: what waits in the page (left), rates in and out (right). Follows its element's width. */
export function createChart(target: HTMLElement): {
  add(at: number, waiting: number, receivedRate: number, readRate: number): void;
} {
  const data: [number[], number[], number[], number[]] = [[], [], [], []];
  const color = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = { stroke: () => color("--text"), grid: { stroke: () => color("--grid") }, ticks: { show: false } };
  const chart = new uPlot(
    {
      width: target.clientWidth,
      height: 220,
      // Set once; as variables they follow a change of the colour scheme.
      legend: { live: false, markers: { stroke: (_, i) => MARKS[i], fill: (_, i) => MARKS[i] } },
      cursor: { show: false },
      scales: {
        x: { time: false },
        y: { range: (_, __, max) => [0, Math.max(2, max * 1.1)] },
        rate: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] },
      },
      axes: [
        {
          ...axis,
          size: 30,
          incrs: [1, 5, 10, 20],
          values: (_, ticks) => ticks.map((tick) => `${Math.round(tick - (data[0].at(-1) ?? 0))} s`),
        },
        { ...axis, label: "MiB waiting", labelSize: 20, size: 44 },
        { ...axis, scale: "rate", side: 1, label: "MiB/s", labelSize: 20, size: 44, grid: { show: false } },
      ],
      series: [
        {},
        {
          label: "waiting in the page",
          stroke: () => color("--waiting"),
          fill: () => color("--waiting-fill"),
          width: 2,
          points: { show: false },
        },
        {
          label: "received",
          scale: "rate",
          stroke: () => color("--received"),
          width: 1.5,
          dash: [4, 3],
          points: { show: false },
        },
        { label: "read", scale: "rate", stroke: () => color("--read"), width: 1.5, points: { show: false } },
      ],
    },
    data,
    target,
  );
  new ResizeObserver(() => chart.setSize({ width: target.clientWidth, height: 220 })).observe(target);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.redraw());
  return {
    add(...values) {
      for (const [i, value] of values.entries()) data[i].push(value);
      while (data[0].length > 2 && data[0][0] < values[0] - SECONDS) for (const column of data) column.shift();
      chart.setData(data);
    },
  };
}
