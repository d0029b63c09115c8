import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, launch as launchWithPuppeteer, type Page } from "puppeteer-core";

/** The engines of the tests, and where Debian puts them. */
export const engines = {
  chromium: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"],
  firefox: ["/usr/bin/firefox-esr", "/usr/bin/firefox"],
  webkit: ["/usr/bin/WebKitWebDriver"],
} as const;
export type EngineName = keyof typeof engines;

/** A running browser with one page. */
export interface Engine {
  readonly name: EngineName;
  /** Processes to look at for memory: this one and its descendants. */
  readonly pid: number;
  open(url: string): Promise<void>;
  /** Runs the body of an async function in the page; its value comes back as JSON. */
  evaluate(body: string): Promise<unknown>;
  setSize(width: number, height: number): Promise<void>;
  screenshot(): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The program of an engine, or undefined if it is not installed. */
export function findEngine(name: EngineName): string | undefined {
  return engines[name].find((path) => existsSync(path));
}

/**
 * Starts an engine without a visible window. Certificates are not verified.
 *
 * @param colorScheme what pages see as the user's preference
 */
export async function launch(name: EngineName, colorScheme: "light" | "dark" = "light"): Promise<Engine> {
  const path = findEngine(name);
  if (path === undefined) throw new Error(`${name} is not installed: run "node scripts/browsers.mjs"`);
  return name === "webkit" ? launchWebKit(path, colorScheme) : launchPuppeteer(name, path, colorScheme);
}

async function launchPuppeteer(name: "chromium" | "firefox", path: string, colorScheme: string): Promise<Engine> {
  const userDataDir = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
  // Puppeteer would swallow the signals that end this process.
  const signals = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
  const args =
    name === "chromium" ? ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"] : [];
  const browser: Browser = await launchWithPuppeteer({
    browser: name === "chromium" ? "chrome" : "firefox",
    executablePath: path,
    headless: true,
    acceptInsecureCerts: true,
    userDataDir,
    args,
    // 0 dark, 1 light. The protocol's own way is not in the ESR release.
    extraPrefsFirefox: { "layout.css.prefers-color-scheme.content-override": colorScheme === "dark" ? 0 : 1 },
    ...signals,
  });
  let page: Page = await browser.newPage();
  return {
    name,
    pid: browser.process()?.pid ?? 0,
    async open(url) {
      const before = page;
      page = await browser.newPage();
      await before.close();
      if (name === "chromium") await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: colorScheme }]);
      await page.goto(url);
    },
    async evaluate(body) {
      const json = await page.evaluate(`(async () => JSON.stringify(await (async () => { ${body} })()) ?? "null")()`);
      return JSON.parse(json as string);
    },
    setSize: (width, height) => page.setViewport({ width, height }),
    screenshot: () => page.screenshot(),
    async close() {
      await browser.close();
      rmSync(userDataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const MINI_BROWSERS = ["4.1", "4.0", "6.0"].map((version) =>
  ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/libexec"].map(
    (folder) => `${folder}/webkit2gtk-${version}/MiniBrowser`,
  ),
);

/** WebDriver spoken by hand: four requests are all that is needed. */
async function launchWebKit(driverPath: string, colorScheme: string): Promise<Engine> {
  const binary = MINI_BROWSERS.flat().find((path) => existsSync(path));
  if (binary === undefined) throw new Error('MiniBrowser is not installed: run "node scripts/browsers.mjs"');
  const display = await startXvfb();
  const port = await findFreePort();
  const driver = spawn(driverPath, [`--port=${port}`, "--host=127.0.0.1"], {
    // Without a language, `navigator.language` is "C", which Intl refuses.
    env: {
      ...process.env,
      DISPLAY: display.name,
      LANG: "en_US.UTF-8",
      LANGUAGE: "en_US",
      LC_ALL: "",
      GTK_THEME: colorScheme === "dark" ? "Adwaita:dark" : "Adwaita",
    },
    stdio: "ignore",
  });
  const send = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...init });
    const { value } = (await response.json()) as { value: unknown };
    if (!response.ok) throw new Error(`WebKitWebDriver: ${JSON.stringify(value)}`);
    return value;
  };
  await untilAnswered(() => send("GET", "/status"), driver);
  const capabilities = {
    alwaysMatch: {
      acceptInsecureCerts: true,
      timeouts: { script: 300_000, pageLoad: 60_000 },
      "webkitgtk:browserOptions": { binary, args: ["--automation"] },
    },
  };
  const { sessionId } = (await send("POST", "/session", { capabilities })) as { sessionId: string };
  const session = `/session/${sessionId}`;
  return {
    name: "webkit",
    pid: driver.pid ?? 0,
    async open(url) {
      await send("POST", `${session}/url`, { url });
    },
    async evaluate(body) {
      const script = `const done = arguments[arguments.length - 1];
        (async () => { ${body} })().then((value) => done({ json: JSON.stringify(value) ?? "null" }),
          (error) => done({ error: String(error) + "\\n" + (error?.stack ?? "") }));`;
      const result = (await send("POST", `${session}/execute/async`, { script, args: [] })) as {
        json?: string;
        error?: string;
      };
      if (result.error !== undefined) throw new Error(result.error);
      return JSON.parse(result.json ?? "null");
    },
    async setSize(width, height) {
      await send("POST", `${session}/window/rect`, { width, height });
    },
    async screenshot() {
      return Buffer.from((await send("GET", `${session}/screenshot`)) as string, "base64");
    },
    async close() {
      await send("DELETE", session).catch(() => {});
      await end(driver);
      await end(display.process);
    },
  };
}

async function startXvfb(): Promise<{ name: string; process: ChildProcess }> {
  const process = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1400x1000x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const stream = process.stdio[3] as NodeJS.ReadableStream;
  const number = await new Promise<string>((resolve, reject) => {
    stream.once("data", (chunk: Buffer) => resolve(chunk.toString().trim()));
    process.once("error", reject);
    process.once("exit", (code) => reject(new Error(`Xvfb ended with ${code}`)));
  });
  return { name: `:${number}`, process };
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

async function untilAnswered(ask: () => Promise<unknown>, program: ChildProcess): Promise<void> {
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      if (program.exitCode !== null) throw error;
      // There is no event for a port that another program opens.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function end(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  const exited = once(program, "exit");
  program.kill("SIGTERM");
  await exited;
}
