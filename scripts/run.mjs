// Starts programs for the other scripts: says what it runs, passes the terminal on, and reports how it ended.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

/** The repository's root folder, with a slash at its end. */
export const root = fileURLToPath(new URL("../", import.meta.url));

/**
 * Prints one line about what happens next. Goes to stderr, so that a program's own output can be piped.
 *
 * @param {string} text
 */
export function say(text) {
  process.stderr.write(`\n==> ${text}\n`);
}

/**
 * Runs a program in the foreground with this process's own stdin, stdout and stderr.
 *
 * A signal from the terminal reaches the program as well as this process; this process outlives it, so that the
 * program can finish its work and its exit code is the one that counts.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, stdout?: "inherit" | 2 }} [options] stdout 2: joined to stderr
 * @returns {Promise<number>} its exit code; 128 plus the signal's number when a signal ended it; 127 when it could not be started
 */
export function run(command, args, { cwd = root, env = process.env, stdout = "inherit" } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: ["inherit", stdout, "inherit"],
      shell: process.platform === "win32",
    });
    const ignoreInterrupt = () => {};
    const passOn = (/** @type {NodeJS.Signals} */ signal) => child.kill(signal);
    process.on("SIGINT", ignoreInterrupt);
    process.on("SIGTERM", passOn);
    const finish = (/** @type {number} */ code) => {
      process.off("SIGINT", ignoreInterrupt);
      process.off("SIGTERM", passOn);
      resolve(code);
    };
    child.on("error", (error) => {
      process.stderr.write(`Cannot start ${command}: ${error.message}\n`);
      finish(127);
    });
    child.on("exit", (code, signal) => finish(code ?? 128 + constants.signals[signal ?? "SIGTERM"]));
  });
}

/**
 * As {@link run}, but a program that fails ends this process with the same code.
 *
 * @type {(...parameters: Parameters<typeof run>) => Promise<void>}
 */
export async function runOrExit(command, args, options) {
  const code = await run(command, args, options);
  if (code !== 0) {
    process.stderr.write(`\n${[command, ...args].join(" ")}: failed with status ${code}\n`);
    process.exit(code);
  }
}

/**
 * How to start the pinned pnpm: the one on the machine if it has that version, else one fetched through npm.
 *
 * @returns {readonly string[]} the program and its first arguments
 */
export function findPnpm() {
  const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
  const pinned = packageManager.split("@")[1].split("+")[0];
  const isWindows = process.platform === "win32";
  // Asked outside the repository, where no setting of ours can send pnpm looking for another version of itself.
  const found = spawnSync("pnpm", ["--version"], { cwd: "/", encoding: "utf8", shell: isWindows });
  if (found.status === 0 && found.stdout.trim() === pinned) return ["pnpm"];
  return ["npm", "exec", "--yes", `--package=pnpm@${pinned}`, "--", "pnpm"];
}

/**
 * Installs every dependency at exactly the locked version. Does next to nothing when they are there already.
 *
 * @param {Parameters<typeof run>[2]} [options]
 */
export async function install(options) {
  const [command, ...first] = findPnpm();
  say(`Installing dependencies (${[command, ...first].join(" ")} install)`);
  await runOrExit(command, [...first, "install", "--frozen-lockfile"], options);
}

/**
 * Runs a script of the root package.json through the pinned pnpm.
 *
 * @param {string} name
 * @param {Parameters<typeof run>[2]} [options]
 */
export async function runScript(name, options) {
  const [command, ...first] = findPnpm();
  await runOrExit(command, [...first, "run", name], options);
}
