// `npm test`: installs everything the tests need, then runs all of them.
import { install, runScript, say } from "./run.mjs";

await install();
say("Running every check and test (pnpm ok)");
await runScript("ok");
