import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** An input that is kept. */
export interface Entry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Where the inputs lie: a folder for each target, a file for each input. */
export const CORPUS: string = fileURLToPath(new URL("../corpus/", import.meta.url));

/** The kept inputs of a target, by name. @param folder {@link CORPUS}, unless it lies elsewhere */
export function readCorpus(target: string, folder: string = CORPUS): Entry[] {
  return readdirSync(join(folder, target))
    .sort()
    .map((name) => ({ name, bytes: decode(name, readFileSync(join(folder, target, name))) }));
}

/** `.hex` is bytes in hexadecimal, with comments behind `#`; `.txt` stands for itself, as Latin-1. */
function decode(name: string, content: Buffer): Uint8Array {
  if (name.endsWith(".txt")) return new Uint8Array(content);
  return new Uint8Array(Buffer.from(content.toString("latin1").replace(/#.*|\s/g, ""), "hex"));
}
