// `npm test`: installs everything the tests need, then runs all of them.
import { installBrowsers } from "./browsers.mjs";
import { install, runScript, say } from "./run.mjs";

await install();
const command = await installBrowsers();
if (command !== null) {
  say(
    `The tests in browsers will fail, as one is missing and cannot be installed from here. Type first:\n\n    ${command}`,
  );
}
say("Running every check and test (pnpm ok)");
await runScript("ok");
