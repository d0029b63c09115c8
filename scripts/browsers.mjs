// Installs the browsers that the tests drive, where this may be done: Debian or Ubuntu, as root. Elsewhere it says what to
// install. Run by `npm test`; by itself: `node scripts/browsers.mjs`.
import { existsSync } from "node:fs";
import { argv, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { run, say } from "./run.mjs";

/** Program -> where it may be, and the package that has it. */
const programs = [
  { paths: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"], package: "chromium" },
  { paths: ["/usr/bin/firefox-esr", "/usr/bin/firefox"], package: "firefox-esr" },
  { paths: ["/usr/bin/WebKitWebDriver"], package: "webkit2gtk-driver" },
  { paths: ["/usr/bin/Xvfb"], package: "xvfb" },
];

/** The packages that are missing here. */
export function findMissingBrowsers() {
  return programs.filter(({ paths }) => !paths.some((path) => existsSync(path))).map((program) => program.package);
}

/**
 * Installs what is missing.
 *
 * @returns {Promise<string | null>} null if everything is there now, else the command to type
 */
export async function installBrowsers() {
  const missing = findMissingBrowsers();
  if (missing.length === 0) return null;
  const command = `apt-get install --no-install-recommends ${missing.join(" ")}`;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return `sudo ${command}`;
  say(`Installing ${missing.join(", ")} for the browser tests: about 1.1 GB (${command})`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Another installation may be running; it is waited for.
  const options = ["-o", "DPkg::Lock::Timeout=600", "-qq", "-y"];
  await run("apt-get", [...options, "update"], { env });
  await run("apt-get", [...options, "install", "--no-install-recommends", ...missing], { env });
  return findMissingBrowsers().length === 0 ? null : command;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const command = await installBrowsers();
  if (command !== null) say(`The tests in browsers need ${findMissingBrowsers().join(", ")}. Type: ${command}`);
  exit(command === null ? 0 : 1);
}
