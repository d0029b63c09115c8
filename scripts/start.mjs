// `npm start`: installs, builds, and runs the ingestion example. Arguments after `--` are the example's.
import { readFileSync } from "node:fs";
import { install, root, run, runScript, say } from "./run.mjs";

// What the example prints may be piped; what comes before it should not be in the way.
const options = { stdout: /** @type {const} */ (2) };
await install(options);
say("Building every package");
await runScript("build", options);
const { main } = JSON.parse(readFileSync(`${root}examples/ingest/package.json`, "utf8"));
const args = process.argv.slice(2);
say(`Running examples/ingest ${args.join(" ")}`);
process.exitCode = await run(process.execPath, [main, ...args], { cwd: `${root}examples/ingest` });
