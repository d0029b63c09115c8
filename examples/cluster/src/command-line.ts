import { type ParseArgsConfig, parseArgs } from "node:util";

/** Something the person at the terminal can put right. Shown without a stack trace. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** What was given for each option, by its name. */
export type GivenOptions = Readonly<Record<string, string | boolean | undefined>>;

/** @throws {UserError} if there is an option that we do not have */
export function parseGiven(
  args: readonly string[],
  options: Record<string, { type: "string" | "boolean" }>,
): GivenOptions {
  try {
    // A "--" that came through a package manager means nothing here.
    const config: ParseArgsConfig = { args: args.filter((arg) => arg !== "--"), options };
    return parseArgs(config).values as GivenOptions;
  } catch (error) {
    throw new UserError(`${(error as Error).message.split(". ", 1)[0]}. See --help for the options that there are.`);
  }
}

/**
 * A whole number out of an option.
 *
 * @throws {UserError} if it is not one, or out of its range
 */
export function toCount(
  given: GivenOptions,
  name: string,
  defaultValue: number,
  [lowest, highest]: readonly [number, number],
): number {
  const value = given[name] ?? String(defaultValue);
  const count = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (count >= lowest && count <= highest) return count;
  throw new UserError(`--${name} must be a whole number from ${lowest} to ${highest}: current value is ${value}`);
}

/** Runs a command and turns what goes wrong into an exit status: 2 for wrong options, 1 for all else. */
export async function runCommand<Options>(
  help: string,
  parse: (args: readonly string[]) => Options | null,
  run: (options: Options) => Promise<void>,
): Promise<void> {
  let exitCode = 2;
  try {
    const options = parse(process.argv.slice(2));
    exitCode = 1;
    if (options === null) console.log(help);
    else await run(options);
  } catch (error) {
    console.error(error instanceof UserError ? error.message : error);
    process.exitCode = exitCode;
  }
}
