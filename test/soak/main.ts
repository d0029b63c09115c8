import { writeFileSync } from "node:fs";
import { createChecks } from "./checks.ts";
import { parseSoakOptions, USAGE } from "./options.ts";
import { createReport, createResults } from "./report.ts";
import { type Programs, SoakRun } from "./run.ts";

/** The command. @returns its exit code: 0 passed, 1 failed, 2 could not be run */
export async function main(args: readonly string[], programs: Programs): Promise<number> {
  let options: ReturnType<typeof parseSoakOptions>;
  try {
    options = parseSoakOptions(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (options === null) {
    console.log(USAGE);
    return 0;
  }
  const run = new SoakRun(options, programs, (line) => console.error(line));
  const interrupt = (): void => run.interrupt();
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    const outcome = await run.run();
    const checks = createChecks(outcome);
    console.log(`\n${createReport(options, outcome, checks)}`);
    if (options.jsonPath !== null) writeFileSync(options.jsonPath, JSON.stringify(createResults(outcome, checks)));
    return checks.every(({ isOk }) => isOk) ? 0 : 1;
  } catch (error) {
    console.error(`The soak could not be run: ${(error as Error).message}`);
    return 2;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}
