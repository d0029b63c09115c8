// `npm start`: installs, builds, and runs the ingestion example. Arguments after `--` are the example's.
import { readFileSync } from "node:fs";
import { install, root, run, runScript, say } from "./run.mjs";

await install();
say("Building every package");
await runScript("build");
const { main } = JSON.parse(readFileSync(`${root}examples/ingest/package.json`, "utf8"));
const args = process.argv.slice(2);
say(`Running examples/ingest ${args.join(" ")}`);
process.exitCode = await run(process.execPath, [main, ...args], { cwd: `${root}examples/ingest` });
