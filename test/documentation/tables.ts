import { type MarkedToken, marked, type Token } from "marked";

/** One row of a table in a Markdown text: its cells, as written, by the heading of their column. */
export type Row = Readonly<Record<string, string>>;

/** The rows of all tables whose first column has this heading. */
export function findRows(markdown: string, firstHeading: string): Row[] {
  return marked.lexer(markdown).flatMap((token: Token) => {
    const { type, header, rows } = token as MarkedToken & { header?: Cell[]; rows?: Cell[][] };
    if (type !== "table" || header?.[0]?.text !== firstHeading) return [];
    return (rows ?? []).map((cells) =>
      Object.fromEntries(cells.map((cell, column) => [header[column]?.text, cell.text])),
    );
  });
}

interface Cell {
  readonly text: string;
}

/** The content of a cell that is one piece of code; null for any other. */
export function codeOf(cell: string | undefined): string | null {
  return /^`([^`]*)`$/.exec(cell ?? "")?.[1] ?? null;
}

/** Whether a text is what a cell says, in which `…` stands for anything. */
export function matches(pattern: string, text: string): boolean {
  const parts = pattern.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^]*")}$`).test(text);
}
