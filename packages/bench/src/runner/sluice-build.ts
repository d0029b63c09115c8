import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const packageFolder = fileURLToPath(new URL("../../sluice/", import.meta.url));

/** A copy of a build, so that one made in the meantime does not change what is measured. Goes away with this process. */
export function copyBuild(folder: string): string {
  if (!existsSync(join(folder, "index.js")))
    throw new Error(`There is no build in ${folder}; type \`pnpm build\` first`);
  const copy = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  cpSync(folder, copy, { recursive: true });
  process.on("exit", () => rmSync(copy, { recursive: true, force: true }));
  return copy;
}

/** Copies the build of the working tree, and says so if its sources are newer. */
export function copyOwnBuild(): string {
  const folder = join(packageFolder, "dist");
  const copy = copyBuild(folder);
  const sources = readdirSync(join(packageFolder, "src"), { recursive: true, encoding: "utf8" });
  const newestMs = Math.max(...sources.map((file) => statSync(join(packageFolder, "src", file)).mtimeMs));
  if (newestMs > statSync(join(folder, "index.js")).mtimeMs) {
    process.stderr.write("Note: packages/sluice/dist is older than its sources; `pnpm build` makes it new.\n");
  }
  return copy;
}
