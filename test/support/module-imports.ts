import { type ParseResult, parseSync } from "oxc-parser";

export type Program = ParseResult["program"];
export type SyntaxNode = { readonly type: string } & Readonly<Record<string, unknown>>;

/** One import of a module: a declaration, an export from elsewhere, `import()`, or `import("…")` in a type. */
export interface ModuleImport {
  readonly specifier: string;
  /** Whether nothing is left of it when types are erased. */
  readonly isTypeOnly: boolean;
}

/** @throws {Error} if the text is no JavaScript or TypeScript; which of them, the file name says */
export function parseModule(path: string, text: string): Program {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`Cannot parse ${path}: ${errors[0]?.message}`);
  return program;
}

/** Every import of a module. */
export function findImports(program: Program): ModuleImport[] {
  const imports: ModuleImport[] = [];
  for (const node of walk(program)) {
    const source = node.source as { value?: unknown } | null | undefined;
    if (!/^(Import|Export(All|Named))Declaration$|^ImportExpression$|^TSImportType$/.test(node.type)) continue;
    if (typeof source?.value !== "string") continue;
    const isTypeOnly = node.type === "TSImportType" || node.importKind === "type" || node.exportKind === "type";
    imports.push({ specifier: source.value, isTypeOnly });
  }
  return imports;
}

/** Every syntax node below a value, itself included. */
export function* walk(value: unknown): Generator<SyntaxNode> {
  if (Array.isArray(value)) for (const item of value) yield* walk(item);
  else if (typeof value === "object" && value !== null) {
    if (typeof (value as SyntaxNode).type === "string") yield value as SyntaxNode;
    for (const child of Object.values(value)) yield* walk(child);
  }
}
