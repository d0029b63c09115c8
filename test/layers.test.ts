import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  findImports,
  type ModuleImport,
  type Program,
  parseModule,
  type SyntaxNode,
  walk,
} from "./support/module-imports.ts";

/**
 * The house of ARCHITECTURE.md as a table. A folder is a layer; it may import itself and what stands here: another
 * layer, one file of another layer, `node:` (any built-in module) or `#connect` (the runtime's way out).
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  "flow-control": ["protocol", "connection"],
  connection: ["protocol"],
  node: ["connection", "protocol", "node:"],
  streams: ["connection", "protocol", "#connect"],
  server: ["streams", "node", "flow-control", "connection", "protocol", "node:"],
  legacy: [
    ...["connection", "protocol", "#connect", "streams/buffer-source.ts", "streams/close-info.ts"],
    ...["streams/idl-conversions.ts", "streams/options.ts", "streams/strategies.ts", "streams/url-record.ts"],
  ],
  testing: ["streams", "node", "connection", "protocol", "node:"],
};

/** What the package publishes. These files only pass on what the layers export. */
const ENTRIES: readonly string[] = Object.values<{ default: string }>(
  JSON.parse(readFileSync(new URL("../packages/sluice/package.json", import.meta.url), "utf8")).exports,
).map((target) => posix.basename(target.default).replace(/js$/, "ts"));

/** Names of the runtime that a layer has to be given instead of taking them. */
const FORBIDDEN_GLOBALS: Readonly<Record<string, readonly string[]>> = {
  protocol: [
    ...["Buffer", "process", "require", "globalThis", "console", "crypto"],
    ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "Date", "performance", "Math.random"],
  ],
  connection: [
    ...["Buffer", "process", "require", "console", "crypto"],
    ...["setTimeout", "setInterval", "setImmediate", "Date", "performance", "Math.random"],
  ],
  streams: ["Buffer", "process", "require", "console"],
  legacy: ["Buffer", "process", "require", "console"],
  node: ["console"],
  server: ["console"],
  testing: ["console"],
};

interface Module {
  /** Path below src/, with slashes. */
  readonly path: string;
  readonly layer: string;
  readonly program: Program;
  readonly imports: readonly ModuleImport[];
}

const src = fileURLToPath(new URL("../packages/sluice/src/", import.meta.url));
const modules = readdirSync(src, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
  .sort()
  .map((path) => readModule(path, readFileSync(src + path, "utf8")));
const byPath = new Map(modules.map((module) => [module.path, module]));

describe("the layers of packages/sluice/src", () => {
  it("has something to look at", () => {
    expect(modules.length).toBeGreaterThan(20);
    expect(modules.flatMap(({ imports }) => imports).length).toBeGreaterThan(20);
  });

  it("has no file outside of the map", () => {
    const strangers = modules.filter(({ path, layer }) => !ENTRIES.includes(path) && !(layer in MAY_IMPORT));
    expect(strangers.map(({ path }) => path)).toEqual([]);
  });

  it.each(Object.keys(MAY_IMPORT))("%s imports only what the map allows", (layer) => {
    expect(modules.filter((module) => module.layer === layer).flatMap(findForbiddenImports)).toEqual([]);
  });

  it("imports relative paths that exist and end in .ts", () => {
    const broken = modules.flatMap(({ path, imports }) =>
      imports
        .filter(({ specifier }) => specifier.startsWith(".") && !byPath.has(resolve(path, specifier)))
        .map(({ specifier }) => `${path}: ${specifier}`),
    );
    expect(broken).toEqual([]);
  });

  it("has no import cycle", () => {
    expect(findCycles()).toEqual([]);
  });

  it.each(Object.keys(FORBIDDEN_GLOBALS))("%s is given its surroundings and does not take them", (layer) => {
    const found = modules.filter((module) => module.layer === layer).flatMap(findForbiddenGlobals);
    expect(found).toEqual([]);
  });

  it("protocol is synchronous", () => {
    const found = modules
      .filter(({ layer }) => layer === "protocol")
      .flatMap(({ path, program }) =>
        [...walk(program)]
          .filter((node) => node.type === "AwaitExpression" || node.async === true)
          .map((node) => `${path}: ${node.type}`),
      );
    expect(found).toEqual([]);
  });

  it("entries only pass on what the layers export", () => {
    const entries = modules.filter(({ path }) => ENTRIES.includes(path));
    const others = entries.flatMap(({ path, program }) =>
      program.body
        .filter((node) => !("source" in node && node.source !== null && node.type.startsWith("Export")))
        .map((node) => `${path}: ${node.type}`),
    );
    expect(others).toEqual([]);
  });
});

describe("the finder of imports and globals itself", () => {
  const specifiersOf = (text: string) => readModule("streams/x.ts", text).imports.map(({ specifier }) => specifier);

  it.each([
    ['import { a } from "./a.ts";', "./a.ts"],
    ['import type { A } from "./a.ts";', "./a.ts"],
    ['import "./a.ts";', "./a.ts"],
    ['export { a } from "./a.ts";', "./a.ts"],
    ['export * from "./a.ts";', "./a.ts"],
    ['const a = await import("./a.ts");', "./a.ts"],
    ['let a: import("./a.ts").A;', "./a.ts"],
  ])("sees %s", (text, specifier) => {
    expect(specifiersOf(text)).toEqual([specifier]);
  });

  it("does not see an import in a comment or a string", () => {
    expect(specifiersOf("// import './a.ts'\nconst text = 'import \"./a.ts\"';")).toEqual([]);
  });

  it("refuses an import that points up, and a layer around the seam", () => {
    expect(findForbiddenImports(readModule("protocol/x.ts", 'import "../connection/clock.ts";'))).toHaveLength(1);
    expect(findForbiddenImports(readModule("streams/x.ts", 'import "node:net";'))).toHaveLength(1);
    expect(findForbiddenImports(readModule("streams/x.ts", 'import "../node/connect.ts";'))).toHaveLength(1);
    expect(findForbiddenImports(readModule("streams/x.ts", 'import "some-package";'))).toHaveLength(1);
    expect(findForbiddenImports(readModule("legacy/x.ts", 'import "../streams/message-sink.ts";'))).toHaveLength(1);
    expect(findForbiddenImports(readModule("legacy/x.ts", 'import "../streams/url-record.ts";'))).toEqual([]);
    expect(findForbiddenImports(readModule("streams/x.ts", 'import "#connect";'))).toEqual([]);
  });

  it("finds a global, and takes a property or a key of the same name for none", () => {
    const find = (text: string) => findForbiddenGlobals(readModule("protocol/x.ts", text));
    expect(find("setTimeout(f, 1);")).toEqual(["protocol/x.ts: setTimeout"]);
    expect(find("const x = Math.random();")).toEqual(["protocol/x.ts: Math.random"]);
    expect(find("clock.setTimeout(f, 1); const x = { process: 1 }; x.process;")).toEqual([]);
  });
});

function readModule(path: string, text: string): Module {
  const program = parseModule(path, text);
  const layer = path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
  return { path, layer, program, imports: findImports(program) };
}

function resolve(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier);
}

function findForbiddenImports({ path, layer, imports }: Module): string[] {
  const allowed = MAY_IMPORT[layer] ?? [];
  return imports
    .filter(({ specifier }) => {
      if (specifier.startsWith("node:")) return !allowed.includes("node:");
      if (!specifier.startsWith(".")) return !allowed.includes(specifier);
      const target = resolve(path, specifier);
      const targetLayer = target.slice(0, target.indexOf("/"));
      return targetLayer !== layer && !allowed.includes(targetLayer) && !allowed.includes(target);
    })
    .map(({ specifier }) => `${path}: ${specifier}`);
}

function findForbiddenGlobals({ path, layer, program }: Module): string[] {
  const forbidden = FORBIDDEN_GLOBALS[layer] ?? [];
  const nodes = [...walk(program)];
  // The same name after a dot, or before a colon, is somebody's own.
  const names = new Set<unknown>(
    nodes.flatMap((node) => {
      if (node.computed === true) return [];
      if (/^(MemberExpression|TSQualifiedName)$/.test(node.type)) return [node.property ?? node.right];
      if (/Property|Definition|Signature/.test(node.type) && node.shorthand !== true) return [node.key];
      return [];
    }),
  );
  return nodes
    .map((node) => {
      if (node.type === "Identifier" && !names.has(node)) return String(node.name);
      if (node.type !== "MemberExpression") return "";
      const { object, property } = node as unknown as { object: SyntaxNode; property: SyntaxNode };
      return `${object.name}.${property.name}`;
    })
    .filter((name) => forbidden.includes(name))
    .map((name) => `${path}: ${name}`);
}

/** Each cycle as one string, found by a depth-first walk over the imports that are left after types are erased. */
function findCycles(): string[] {
  const cycles: string[] = [];
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      return;
    }
    if (finished.has(path)) return;
    for (const { specifier, isTypeOnly } of byPath.get(path)?.imports ?? []) {
      const target = specifier === "#connect" ? "node/connect.ts" : specifier;
      if (!isTypeOnly && (target.startsWith(".") || target === "node/connect.ts")) {
        visit(target.startsWith(".") ? resolve(path, target) : target, [...trail, path]);
      }
    }
    finished.add(path);
  };
  for (const { path } of modules) visit(path, []);
  return cycles;
}
