import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { UserError } from "./user-error.ts";

/** Where the database goes: a file that was asked for, or a temporary one that is removed in the end. */
export class DatabaseFile {
  readonly path: string;
  readonly isKept: boolean;
  readonly #temporaryDirectory: string | null;

  private constructor(path: string, temporaryDirectory: string | null) {
    this.path = path;
    this.isKept = temporaryDirectory === null;
    this.#temporaryDirectory = temporaryDirectory;
  }

  /**
   * Sees to it that there is no file at this path.
   *
   * @param path null for a temporary one
   * @throws {UserError} if there is one and it may not be replaced
   */
  static async prepare(path: string | null, mayReplace: boolean): Promise<DatabaseFile> {
    if (path === null) {
      const directory = await mkdtemp(join(tmpdir(), "sluice-ingest-"));
      return new DatabaseFile(join(directory, "departures.duckdb"), directory);
    }
    // npm runs scripts in the package's directory, and tells where it was called.
    const absolute = resolve(process.env.INIT_CWD ?? "", path);
    const found = await find(absolute);
    if (found === "directory") {
      throw new UserError(`Cannot create the database ${absolute}: it is a directory`, "Name a file with --database.");
    }
    if (found === "file") {
      if (!mayReplace) {
        throw new UserError(
          `Cannot create the database ${absolute}: it exists already`,
          "Name another file with --database, or add --overwrite to replace it.",
        );
      }
      await rm(absolute);
      await rm(`${absolute}.wal`, { force: true });
    }
    return new DatabaseFile(absolute, null);
  }

  /** Removes it if it was temporary. */
  async dispose(): Promise<void> {
    if (this.#temporaryDirectory !== null) await rm(this.#temporaryDirectory, { recursive: true, force: true });
  }
}

async function find(path: string): Promise<"file" | "directory" | "nothing"> {
  try {
    return (await stat(path)).isDirectory() ? "directory" : "file";
  } catch {
    return "nothing"; // not there, or not to be seen: creating it will tell
  }
}
