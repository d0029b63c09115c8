// The example's command. Reads the options, shows the run, and turns its outcome into an exit status.
import { colors as pc } from "./colors.ts";
import { JsonDisplay } from "./json-display.ts";
import { type Options, parseOptions, toHelp } from "./options.ts";
import { PlainDisplay } from "./plain-display.ts";
import { Run } from "./run.ts";
import type { Display } from "./snapshot.ts";
import { TerminalDisplay } from "./terminal-display.ts";
import { UserError } from "./user-error.ts";

const STOPPED_EXIT_CODE = 130;

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === null) process.stdout.write(`${toHelp()}\n`);
  else process.exitCode = await show(options);
} catch (error) {
  process.exitCode = explain(error);
}

async function show(options: Options): Promise<number> {
  const display = createDisplay(options);
  const run = new Run(options, display);
  let signals = 0;
  const onSignal = (): void => {
    signals++;
    if (signals === 1) run.stop();
    else if (signals === 2) {
      display.abandon();
      void run.abort().finally(() => process.exit(STOPPED_EXIT_CODE));
    }
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    const outcome = await run.run();
    display.finish(outcome);
    if (outcome.checks.some((check) => !check.isMet)) return 1;
    return outcome.wasStopped && options.mode !== "serve" ? STOPPED_EXIT_CODE : 0;
  } finally {
    display.abandon();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

function createDisplay(options: Options): Display {
  const write = (text: string): void => void process.stdout.write(text);
  if (options.json) return new JsonDisplay(write);
  return process.stdout.isTTY ? new TerminalDisplay(process.stdout) : new PlainDisplay(write);
}

function explain(error: unknown): number {
  if (!(error instanceof UserError)) {
    process.stderr.write(`${pc.red("This looks like a defect:")} ${error instanceof Error ? error.stack : error}\n`);
    return 1;
  }
  process.stderr.write(`${pc.red(error.message)}\n${error.advice}\n`);
  return error.exitCode;
}
