// Interoperation: our client and server against those of others. Installs the peers that are missing, runs test/interop, and
// writes docs/interop.md. `pnpm interop`; arguments go to Vitest, and then nothing is written.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { arch, argv, env, exit, getuid, platform } from "node:process";
import { root, run, runOrExit, say } from "./run.mjs";

/** Debian package -> a file that it has. */
const packages = {
  "python3-websockets": "/usr/lib/python3/dist-packages/websockets",
  "python3-aiohttp": "/usr/lib/python3/dist-packages/aiohttp",
  "python3-tornado": "/usr/lib/python3/dist-packages/tornado",
  websocketd: "/usr/bin/websocketd",
  mosquitto: "/usr/sbin/mosquitto",
  "nats-server": "/usr/sbin/nats-server",
  "nginx-light": "/usr/sbin/nginx",
  haproxy: "/usr/sbin/haproxy",
  caddy: "/usr/bin/caddy",
  chromium: "/usr/bin/chromium",
};
// Runtimes whose binaries are registry packages. The package of the platform is asked for by its name, as the general one only
// picks it in an install script.
const runtimes = {
  "node-24": `npm:node-${platform}-${arch}@24`,
  bun: `npm:@oven/bun-${platform}-${arch === "arm64" ? "aarch64" : arch}@1.4.5`,
  deno: `npm:@deno/${platform}-${arch}${platform === "linux" ? "-glibc" : ""}@2.9.6`,
};

/** @type {Readonly<Record<string, string>>} */
const descriptions = {
  "Peers as server": "`WebSocketStream` against the servers of others.",
  "Peers as client": "The clients of others against `serve`.",
  Proxies: "`WebSocketStream` to `serve` through a reverse proxy that ends TLS.",
};

const resultPath = ".results/interop.json";
const vitestArguments = argv.slice(2);
await installPackages();
await installRuntimes();

mkdirSync(`${root}.results`, { recursive: true });
rmSync(root + resultPath, { force: true });
say("Tests against other implementations (test/interop)");
const vitest = ["node_modules/vitest/vitest.mjs", "run", "--config", "test/interop/vitest.config.ts"];
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${resultPath}`];
const code = await run("node", [...vitest, ...reporters, ...vitestArguments]);
if (existsSync(root + resultPath) && vitestArguments.length === 0) writeTable();
exit(code);

/** A package that cannot be installed is said here, and is a failure below: its tests cannot start it. */
async function installPackages() {
  const missing = Object.entries(packages).flatMap(([name, path]) => (existsSync(path) ? [] : [name]));
  if (missing.length === 0) return;
  const command = `apt-get install --no-install-recommends ${missing.join(" ")}`;
  if (getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    say(`Missing peers, whose tests will fail: ${missing.join(", ")}. Type first:\n\n    sudo ${command}`);
    return;
  }
  say(`Installing ${missing.join(", ")} (${command})`);
  // In run level 1 invoke-rc.d starts no service: the tests start what they need, on ports of their own.
  const aptEnv = { ...env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const options = ["-o", "DPkg::Lock::Timeout=600", "-qq", "-y"];
  await run("apt-get", [...options, "update"], { env: aptEnv });
  await run("apt-get", [...options, "install", "--no-install-recommends", ...missing], { env: aptEnv });
}

async function installRuntimes() {
  const folder = `${root}.node-matrix/interop/`;
  const manifest = `${JSON.stringify({ private: true, dependencies: runtimes }, null, 2)}\n`;
  const path = `${folder}package.json`;
  const isInstalled =
    existsSync(path) &&
    readFileSync(path, "utf8") === manifest &&
    Object.keys(runtimes).every((name) => existsSync(`${folder}node_modules/${name}`));
  if (isInstalled) return;
  say(`Fetching ${Object.values(runtimes).join(", ")}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, manifest);
  await runOrExit("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"], {
    cwd: folder,
  });
}

/** One table per role. A suite's name is the peer and its version; the suite below it is the group of cases. */
function writeTable() {
  const result = JSON.parse(readFileSync(root + resultPath, "utf8"));
  /** @type {Map<string, Map<string, Map<string, { passed: number, failed: number }>>>} */
  const roles = new Map();
  for (const test of result.testResults.flatMap((/** @type {any} */ file) => file.assertionResults)) {
    const [role, peer, group] = test.ancestorTitles;
    const peers = roles.get(role) ?? new Map();
    roles.set(role, peers);
    const groups = peers.get(peer) ?? new Map();
    peers.set(peer, groups);
    const counts = groups.get(group) ?? { passed: 0, failed: 0 };
    groups.set(group, counts);
    // Those that were skipped count as failed: their peer did not start.
    counts[test.status === "passed" ? "passed" : "failed"]++;
  }
  const lines = [
    "# Interoperation",
    "",
    "Written by `pnpm interop` from its own run; do not edit. Every peer is a real process that the run starts on a free port of",
    "the loopback interface. All frames are noted on the way between both, and what the library tells is compared with them.",
    "A cell counts the cases that passed; a dash means that the peer has no means for such cases.",
  ];
  for (const role of Object.keys(descriptions)) {
    const peers = roles.get(role) ?? new Map();
    const groups = [...new Set([...peers.values()].flatMap((byGroup) => [...byGroup.keys()]))];
    lines.push("", `## ${role}`, "", descriptions[role], "");
    lines.push(`| Peer | Version | ${groups.join(" | ")} | passed | failed |`);
    lines.push(`| --- | --- | ${groups.map(() => "---:").join(" | ")} | ---: | ---: |`);
    for (const [peer, byGroup] of peers) {
      const counts = [...byGroup.values()];
      const sum = (/** @type {"passed" | "failed"} */ key) => counts.reduce((total, count) => total + count[key], 0);
      const cells = groups.map((group) => {
        const count = byGroup.get(group);
        return count === undefined ? "–" : `${count.passed}/${count.passed + count.failed}`;
      });
      const [, name, version] = /^(.*) (\S+)$/.exec(peer) ?? ["", peer, ""];
      lines.push(`| ${name} | ${version} | ${cells.join(" | ")} | ${sum("passed")} | ${sum("failed")} |`);
    }
  }
  writeFileSync(`${root}docs/interop.md`, `${lines.join("\n")}\n`);
}
