/** A V8 CPU profile, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

type Node = CpuProfile["nodes"][number];

/** A box of a flame graph. */
export interface FlameRow {
  readonly name: string;
  readonly owner: "sluice" | "node" | "native" | "bench";
  readonly depth: number;
  /** Shares of the busy time, from 0 to 1. */
  readonly from: number;
  readonly to: number;
}

/** Lays the calls of a profile out, without the time in which nothing ran. @param maxDepth deeper calls are left out */
export function foldProfile(profile: CpuProfile, maxDepth: number): FlameRow[] {
  const own = sumOwnTimes(profile);
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const totals = new Map<number, number>();
  const addUp = (node: Node): number => {
    let total = own.get(node.id) ?? 0;
    for (const child of node.children ?? []) total += addUp(byId.get(child) as Node);
    totals.set(node.id, total);
    return total;
  };
  const [root] = profile.nodes;
  const all = addUp(root);
  const rows: FlameRow[] = [];
  const place = (parents: readonly Node[], depth: number, from: number): void => {
    if (depth >= maxDepth) return;
    // The same function called from the same place may be several nodes: one box.
    const boxes = new Map<string, Node[]>();
    for (const parent of parents) {
      for (const id of parent.children ?? []) {
        const child = byId.get(id) as Node;
        const key = describe(child);
        boxes.set(key, [...(boxes.get(key) ?? []), child]);
      }
    }
    let left = from;
    const width = (nodes: readonly Node[]): number =>
      nodes.reduce((sum, { id }) => sum + (totals.get(id) ?? 0), 0) / all;
    for (const [, nodes] of [...boxes].sort((a, b) => width(b[1]) - width(a[1]))) {
      const to = left + width(nodes);
      rows.push({ name: describe(nodes[0]), owner: getOwner(nodes[0]), depth, from: left, to });
      place(nodes, depth + 1, left);
      left = to;
    }
  };
  place([root], 0, 0);
  return rows;
}

/** The functions in which the time itself was spent, most first. */
export function listHotSpots(profile: CpuProfile): { place: string; share: number }[] {
  const own = sumOwnTimes(profile);
  const all = [...own.values()].reduce((sum, time) => sum + time, 0);
  const places = new Map<string, number>();
  for (const node of profile.nodes) {
    const { functionName, url, lineNumber } = node.callFrame;
    const file = url.replace(/^.*\/(sluice-bench-\w+|dist|node_modules\/\.pnpm)\//, "");
    const place = `${functionName || "(anonymous)"}${url === "" ? "" : ` ${file}:${lineNumber + 1}`}`;
    places.set(place, (places.get(place) ?? 0) + (own.get(node.id) ?? 0));
  }
  return [...places].map(([place, time]) => ({ place, share: time / all })).sort((a, b) => b.share - a.share);
}

/** Microseconds in each node itself; left out is when nothing ran, and when the profiler was started and stopped. */
function sumOwnTimes({ nodes, samples, timeDeltas }: CpuProfile): Map<number, number> {
  const isLeftOut = ({ callFrame: { functionName, url } }: Node): boolean =>
    functionName === "(idle)" || (functionName === "post" && url === "node:inspector");
  const leftOut = new Set(nodes.filter(isLeftOut).map(({ id }) => id));
  const own = new Map<number, number>();
  for (const [index, id] of samples.entries()) {
    if (!leftOut.has(id)) own.set(id, (own.get(id) ?? 0) + timeDeltas[index]);
  }
  return own;
}

function describe({ callFrame: { functionName, url } }: Node): string {
  const file = url.split("/").at(-1) ?? "";
  return `${functionName || "(anonymous)"}${url.startsWith("node:") ? ` ${file}` : ""}`;
}

function getOwner({ callFrame: { url } }: Node): FlameRow["owner"] {
  if (url === "") return "native";
  if (url.startsWith("node:")) return "node";
  return /sluice-bench-|node_modules/.test(url) ? "sluice" : "bench";
}
